// SPDX-License-Identifier: Apache-2.0
// The layers and models of STAMP, and two-phase inference over them. Brings no backend and no
// file format: add <stamp/reference.hpp>, which brings both, to load and run a checkpoint.
#pragma once

#include <stamp/model/stamp/dialogue.hpp>
#include <stamp/nn/module.hpp>
#include <stamp/ops/backend.hpp>
