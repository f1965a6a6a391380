// SPDX-License-Identifier: Apache-2.0
// The reference backend with everything that loads and runs a checkpoint on it.
#pragma once

#include <stamp/reference/engine.hpp>
#include <stamp/session.hpp>
#include <stamp/stamp.hpp>
