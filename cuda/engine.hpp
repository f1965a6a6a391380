// SPDX-License-Identifier: Apache-2.0
// The CUDA backend: one GPU, sm_80 to sm_90a. Including this needs no CUDA; linking needs
// stamp::cuda. The reference backend states what each operation must compute.
#pragma once

#include <stamp/cuda/activation.hpp>
#include <stamp/cuda/add.hpp>
#include <stamp/cuda/attend.hpp>
#include <stamp/cuda/cut_picture.hpp>
#include <stamp/cuda/embed.hpp>
#include <stamp/cuda/largest.hpp>
#include <stamp/cuda/mask_head.hpp>
#include <stamp/cuda/matmul.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/cuda/norm.hpp>
#include <stamp/cuda/norm_matmul.hpp>
#include <stamp/cuda/rotate.hpp>
#include <stamp/cuda/top_k.hpp>
#include <stamp/ops/sam_backend.hpp>

namespace stamp::cuda {

/// What `stamp::load<stamp::cuda::Backend>(folder)` uses.
using Backend = Engine<bfloat16>;

// Last, because a compiler remembers a concept's first answer.
static_assert(stamp::SamBackend<Engine<float>>);
static_assert(stamp::SamBackend<Engine<bfloat16>>);
static_assert(requirement::CutsPictures<Engine<bfloat16>>);
static_assert(requirement::HasMaskHead<Engine<bfloat16>>);
static_assert(stamp::Replays<Engine<float>>);
static_assert(stamp::Replays<Engine<bfloat16>>);

}  // namespace stamp::cuda
