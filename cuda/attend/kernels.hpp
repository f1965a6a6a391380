// SPDX-License-Identifier: Apache-2.0
// The launches of the attention kernels, behind the door in attend.hpp.
#pragma once

#include <stamp/cuda/attend/call.hpp>
#include <stamp/cuda/kernels.hpp>

namespace stamp::cuda {

/// Rows of a kernel's query tile and keys of its key tile.
struct AttendTile {
  Index rows;
  Index keys;
};
inline constexpr AttendTile tiled_tile{32, 32};
inline constexpr AttendTile tensor_tile{64, 64};

/// The best kernel that can run a call: by element type, head size and alignment alone.
template <DeviceElement T>
[[nodiscard]] AttendKernel kernel_for(const AttendCall<T>& call) {
  constexpr Index largest_tiled = 128;
  if (call.y.dim > largest_tiled) return AttendKernel::naive;
  if constexpr (std::same_as<T, bfloat16>) {
    const bool aligned = aligned_rows(call.y.data, call.y.stride) &&
                         aligned_rows(call.query.data, call.query.stride) &&
                         aligned_rows(call.key.data, call.key.stride) &&
                         aligned_rows(call.value.data, call.value.stride);
    if (call.y.dim % 16 == 0 && call.y.dim > 0 && aligned) return AttendKernel::tensor;
  }
  return AttendKernel::tiled;
}

/// Parts that the keys of a call are split into: many where few query tiles leave the device idle.
/// The same for all lengths up to the next multiple of key_step; a part may then find no tile left.
template <class T>
[[nodiscard]] Index parts_for(const AttendCall<T>& call, AttendKernel kernel,
                              Index multiprocessors) {
  if (kernel == AttendKernel::naive) return 1;
  const AttendTile tile = kernel == AttendKernel::tensor ? tensor_tile : tiled_tile;
  return split_keys(divide_up(call.packed_rows(), tile.rows) * call.key.heads,
                    divide_up(reach_of(call.key.rows), tile.keys), multiprocessors);
}

namespace kernel {

template <DeviceElement T>
void attend_naive(Stream stream, const AttendCall<T>& call);
template <DeviceElement T>
void attend_tiled(Stream stream, const AttendCall<T>& call, const AttendParts& parts);
void attend_tensor(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts);
template <DeviceElement T>
void attend_combine(Stream stream, const AttendCall<T>& call, const AttendParts& parts);

}  // namespace kernel

}  // namespace stamp::cuda
