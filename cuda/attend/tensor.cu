// SPDX-License-Identifier: Apache-2.0
// The launches of attention on tensor cores: three head sizes of machine code; what lies between
// them runs in the next larger one, padded with zeros.
#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/attend/tensor.cuh>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

static_assert(tensor_tile.rows == tensor_rows && tensor_tile.keys == tensor_keys);

namespace {

template <int dim, bool relative>
__global__ void __launch_bounds__(tensor_threads)
    tensor(AttendCall<bfloat16> call, AttendParts parts) {
  extern __shared__ float4 memory[];
  let_next_begin();
  await_earlier();
  attend_tensor_body<dim, relative>(*reinterpret_cast<TensorShared<dim>*>(memory), call, parts);
}

template <int dim, bool relative>
void launch_as(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts) {
  constexpr std::size_t bytes = sizeof(TensorShared<dim>);
  static OnceADevice allowed;
  allow_shared(allowed, stream, tensor<dim, relative>, bytes);
  const dim3 grid(blocks(divide_up(call.packed_rows(), tensor_rows)), blocks(call.key.heads),
                  blocks(parts.split.parts));
  cuda::launch({stream, grid, tensor_threads, bytes}, tensor<dim, relative>, call, parts);
}

template <int dim>
void launch(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts) {
  if (call.relative()) return launch_as<dim, true>(stream, call, parts);
  launch_as<dim, false>(stream, call, parts);
}

}  // namespace

void attend_tensor(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts) {
  if (call.y.dim <= 64) return launch<64>(stream, call, parts);
  if (call.y.dim <= 80) return launch<80>(stream, call, parts);
  launch<128>(stream, call, parts);
}

}  // namespace stamp::cuda::kernel
