// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend: packed weights, vectorised kernels chosen at run time, attention without a
// score matrix. The reference backend states what it must compute.
#pragma once

#include <stamp/cpu/attend.hpp>
#include <stamp/cpu/matmul.hpp>
#include <stamp/cpu/mlp.hpp>
#include <stamp/cpu/rows.hpp>
#include <stamp/cpu/windows.hpp>
#include <stamp/ops/sam_backend.hpp>

namespace stamp::cpu {

/// What `stamp::load<stamp::cpu::Backend>(folder)` uses.
using Backend = Engine;

static_assert(stamp::SamBackend<Engine>);

}  // namespace stamp::cpu
