// SPDX-License-Identifier: Apache-2.0
// The place of the largest number of each row, on the device: of the scores of a vocabulary four
// bytes travel to the host.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

/// The places of the largest numbers (ops/fused.hpp); waits.
template <DeviceElement T, Axis R, Axis A>
void first_largest(Engine<T>& engine, std::span<std::int32_t> places, View<T, R, A> x) {
  check_count("first_largest", x.extents()[0], places.size());
  const auto frame = engine.frame();
  const auto found = engine.template allocate<std::int32_t>(x.template axis_at<0>());
  const Index parts = x.extents()[0] * largest_parts(x.extents()[1]);
  const auto candidates = engine.template allocate<Candidate>(Tokens{parts});
  const Erased<const T> rows{x.data(), x.extents()[0], x.extents()[1], x.stride()};
  kernel::largest<T>(engine.device().stream(), found.data(), candidates.data(), rows);
  detail::download_bytes(engine.device(), places, found.data());
}

}  // namespace stamp::cuda
