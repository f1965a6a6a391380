// SPDX-License-Identifier: Apache-2.0
// The launches of attention without tensor cores, and of the combination of parts.
#include <stamp/cuda/attend/combine.cuh>
#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/attend/naive.cuh>
#include <stamp/cuda/attend/tiled.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

static_assert(tiled_tile.rows == tiled_rows && tiled_tile.keys == tiled_keys);

namespace {

template <Element T>
__global__ void naive(AttendCall<T> call) {
  DeviceBlock<NaiveRegisters> block;
  attend_naive_body(block, call);
}

template <Element T>
__global__ void __launch_bounds__(tiled_threads) tiled(AttendCall<T> call, AttendParts parts) {
  extern __shared__ float4 memory[];
  DeviceBlock<TiledRegisters> block;
  attend_tiled_body(block, reinterpret_cast<float*>(memory), call, parts);
}

template <Element T>
__global__ void combine(AttendCall<T> call, AttendParts parts) {
  DeviceBlock<CombineRegisters> block;
  attend_combine_body(block, call, parts);
}

}  // namespace

template <DeviceElement T>
void attend_naive(Stream stream, const AttendCall<T>& call) {
  const dim3 grid(blocks(call.y.rows * call.y.heads), blocks(divide_up(call.y.dim, naive_dim)));
  launch({stream, grid, warp_size}, naive<T>, call);
}

template <DeviceElement T>
void attend_tiled(Stream stream, const AttendCall<T>& call, const AttendParts& parts) {
  const std::size_t bytes = TiledShared::floats(call.y.dim) * sizeof(float);
  constexpr std::size_t most = TiledShared::floats(tiled_dim) * sizeof(float);
  static OnceADevice allowed;
  allow_shared(allowed, stream, tiled<T>, most);
  if (bytes > most) fail(Fault::usage, "attend: a head is too large for shared memory");
  const dim3 grid(blocks(divide_up(call.packed_rows(), tiled_rows)), blocks(call.key.heads),
                  blocks(parts.split.parts));
  launch({stream, grid, tiled_threads, bytes}, tiled<T>, call, parts);
}

template <DeviceElement T>
void attend_combine(Stream stream, const AttendCall<T>& call, const AttendParts& parts) {
  const dim3 grid(blocks(call.packed_rows()), blocks(call.key.heads));
  launch({stream, grid, combine_threads}, combine<T>, call, parts);
}

template void attend_naive(Stream, const AttendCall<float>&);
template void attend_naive(Stream, const AttendCall<bfloat16>&);
template void attend_tiled(Stream, const AttendCall<float>&, const AttendParts&);
template void attend_tiled(Stream, const AttendCall<bfloat16>&, const AttendParts&);
template void attend_combine(Stream, const AttendCall<float>&, const AttendParts&);
template void attend_combine(Stream, const AttendCall<bfloat16>&, const AttendParts&);

}  // namespace stamp::cuda::kernel
