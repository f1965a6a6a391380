// SPDX-License-Identifier: Apache-2.0
// The launches of the attention kernels, behind the door in attend.hpp.
#pragma once

#include <stamp/cuda/attend/attention.hpp>
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
inline constexpr AttendTile hopper_tile{128, 128};

/// Of every kernel but the naive one, which has none.
[[nodiscard]] constexpr AttendTile tile_of(AttendKernel kernel) {
  if (kernel == AttendKernel::hopper) return hopper_tile;
  return kernel == AttendKernel::tensor ? tensor_tile : tiled_tile;
}

/// Every operand's rows begin where 16 bytes can be read at once.
template <class T>
[[nodiscard]] bool aligned_call(const AttendCall<T>& call) {
  return aligned_rows(call.y.data, call.y.stride) &&
         aligned_rows(call.query.data, call.query.stride) &&
         aligned_rows(call.key.data, call.key.stride) &&
         aligned_rows(call.value.data, call.value.stride);
}

/// The Hopper kernel can compute a call: by head size, alignment, scale and relative positions; not
/// whether this device has it (attention_here).
template <DeviceElement T>
[[nodiscard]] bool hopper_can(const AttendCall<T>& call) {
  const bool head = call.y.dim == 64 || call.y.dim == 80 || call.y.dim == 128;
  return std::same_as<T, bfloat16> && head && !call.relative() && call.scale > 0 &&
         call.key.rows > 0 && aligned_call(call);
}

/// The best kernel that can run a call: by element type, head size and alignment alone. Where
/// Hopper's is wanted it takes calls of more rows than one tile of the other.
template <DeviceElement T>
[[nodiscard]] AttendKernel kernel_for(const AttendCall<T>& call,
                                      Attention attention = Attention::mma) {
  if (attention == Attention::hopper && hopper_can(call) && call.packed_rows() > tensor_tile.rows) {
    return AttendKernel::hopper;
  }
  constexpr Index largest_tiled = 128;
  if (call.y.dim > largest_tiled) return AttendKernel::naive;
  if constexpr (std::same_as<T, bfloat16>) {
    if (call.y.dim % 16 == 0 && call.y.dim > 0 && aligned_call(call)) return AttendKernel::tensor;
  }
  return AttendKernel::tiled;
}

/// How the keys of a call are split: into many parts where few query tiles leave the device idle.
/// The same for all lengths up to the next multiple of key_step; a part may then see no key.
template <class T>
[[nodiscard]] KeySplit split_of(const AttendCall<T>& call, AttendKernel kernel,
                                Index multiprocessors) {
  // Of maps side by side each row sees one: few of the parts would have keys for it.
  if (kernel == AttendKernel::naive || call.relative()) return {};
  const AttendTile tile = tile_of(kernel);
  return split_keys(divide_up(call.packed_rows(), tile.rows) * call.key.heads,
                    reach_of(call.key.rows), tile.keys, multiprocessors);
}

namespace kernel {

template <DeviceElement T>
void attend_naive(Stream stream, const AttendCall<T>& call);
template <DeviceElement T>
void attend_tiled(Stream stream, const AttendCall<T>& call, const AttendParts& parts);
void attend_tensor(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts);
void attend_hopper(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts);
template <DeviceElement T>
void attend_combine(Stream stream, const AttendCall<T>& call, const AttendParts& parts);

}  // namespace kernel

}  // namespace stamp::cuda
