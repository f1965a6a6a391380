// SPDX-License-Identifier: Apache-2.0
// The tensor-core attention kernel on fibers, block after block; grids as in cuda/attend/tensor.cu.
#include <cstring>
#include <cuda/bodies.hpp>
#include <fibers/fibers.hpp>
#include <stamp/cuda/attend/tensor.cuh>

namespace stamp::test::walked {

using namespace stamp::cuda;

namespace {

template <int dim, bool relative>
void run_blocks_as(const AttendCall<bfloat16>& call, const AttendParts& parts) {
  const auto shared = std::make_unique<TensorShared<dim>>();
  fibers::Block block;
  gridDim = {static_cast<unsigned>(divide_up(call.packed_rows(), cuda::tensor_rows)),
             static_cast<unsigned>(call.key.heads), static_cast<unsigned>(parts.split.parts)};
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z) {
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y) {
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) {
        std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(*shared));  // NaN
        mma::copies.clear();
        block.run(tensor_threads, [&] { attend_tensor_body<dim, relative>(*shared, call, parts); });
      }
    }
  }
}

template <int dim>
void run_blocks(const AttendCall<bfloat16>& call, const AttendParts& parts) {
  if (call.relative()) return run_blocks_as<dim, true>(call, parts);
  run_blocks_as<dim, false>(call, parts);
}

}  // namespace

void attend_tensor(const AttendCall<bfloat16>& call, const AttendParts& parts) {
  if (call.y.dim <= 64) return run_blocks<64>(call, parts);
  if (call.y.dim <= 80) return run_blocks<80>(call, parts);
  run_blocks<128>(call, parts);
}

}  // namespace stamp::test::walked
