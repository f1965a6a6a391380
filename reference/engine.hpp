// SPDX-License-Identifier: Apache-2.0
// The reference backend: the specification of every operation in the shortest correct code.
#pragma once

// Work is shared among our own threads; Eigen must not start others beneath them.
#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif

#include <stamp/ops/sam_backend.hpp>
#include <stamp/reference/activation.hpp>
#include <stamp/reference/add.hpp>
#include <stamp/reference/attend.hpp>
#include <stamp/reference/embed.hpp>
#include <stamp/reference/gather.hpp>
#include <stamp/reference/largest.hpp>
#include <stamp/reference/matmul.hpp>
#include <stamp/reference/memory.hpp>
#include <stamp/reference/norm.hpp>
#include <stamp/reference/rotate.hpp>

namespace stamp::reference {

/// What `stamp::load<stamp::reference::Backend>(folder)` uses: activations in float.
using Backend = Engine<float>;

// Last, because a compiler remembers a concept's first answer.
static_assert(stamp::SamBackend<Engine<float>>);
static_assert(stamp::SamBackend<Engine<double>>);

}  // namespace stamp::reference
