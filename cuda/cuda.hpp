// SPDX-License-Identifier: Apache-2.0
// The CUDA backend with everything that loads and runs a checkpoint on it.
#pragma once

#include <stamp/cuda/engine.hpp>
#include <stamp/session.hpp>
#include <stamp/stamp.hpp>
