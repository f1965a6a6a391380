// SPDX-License-Identifier: Apache-2.0
// The Hopper attention kernel on fibers, block after block; grids as in
// cuda/attend/hopper/hopper.cu. Every call runs twice, once with copies that arrive at once and
// warps that run unevenly, once with copies as late as they may and threads in turn: both must give
// the same bits, and neither may do what the manual forbids.
#include <cuda/bodies.hpp>
#include <fibers/shared_memory.hpp>
#include <stamp/cuda/attend/hopper/hopper.cuh>
#include <stdexcept>

namespace stamp::test::walked {

using namespace stamp::cuda;

namespace {

template <int dim>
void run_blocks(const AttendCall<bfloat16>& call, const AttendParts& parts) {
  fibers::SharedMemory memory(sizeof(HopperShared<dim>));
  const HopperMaps maps{tile_map(call.key, Swizzle::bytes_128, hopper_keys),
                        tile_map(call.value, Swizzle::bytes_128, hopper_keys),
                        tile_map(call.key, Swizzle::bytes_32, hopper_keys),
                        tile_map(call.value, Swizzle::bytes_32, hopper_keys)};
  fibers::Block block;
  block.uneven = tma::arrival == tma::Arrival::early;
  gridDim = {static_cast<unsigned>(divide_up(call.packed_rows(), cuda::hopper_rows)),
             static_cast<unsigned>(call.key.heads), static_cast<unsigned>(parts.split.parts)};
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z) {
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y) {
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) {
        memory.reset();
        tma::forget_barriers();
        wgmma::forget_products();
        auto& shared = *reinterpret_cast<HopperShared<dim>*>(memory.data());
        block.run(hopper_threads, [&] { attend_hopper_body(shared, call, parts, maps); });
        tma::expect_quiet();
        wgmma::expect_finished();
      }
    }
  }
}

void run(const AttendCall<bfloat16>& call, const AttendParts& parts) {
  if (call.y.dim == 64) return run_blocks<64>(call, parts);
  if (call.y.dim == 80) return run_blocks<80>(call, parts);
  run_blocks<128>(call, parts);
}

/// All bits that a call writes.
[[nodiscard]] std::vector<std::uint32_t> written(const AttendCall<bfloat16>& call,
                                                 const AttendParts& parts) {
  std::vector<std::uint32_t> bits;
  if (parts.split.parts == 1) {
    for (Index row = 0; row < call.y.rows; ++row) {
      for (Index at = 0; at < call.y.heads * call.y.dim; ++at) {
        bits.push_back(call.y.data[row * call.y.stride + at].bits);
      }
    }
    return bits;
  }
  const Index rows = parts.split.parts * call.key.heads * call.packed_rows();
  const auto take = [&](const float* from, Index count) {
    for (Index at = 0; at < count; ++at) bits.push_back(std::bit_cast<std::uint32_t>(from[at]));
  };
  take(parts.largest, rows);
  take(parts.sum, rows);
  take(parts.values, rows * call.y.dim);
  return bits;
}

}  // namespace

void attend_hopper(const AttendCall<bfloat16>& call, const AttendParts& parts) {
  fibers::complaints.clear();
  tma::arrival = tma::Arrival::early;
  run(call, parts);
  const auto early = written(call, parts);
  tma::arrival = tma::Arrival::late;
  run(call, parts);
  if (written(call, parts) != early) fibers::complain("results depend on when copies arrive");
  if (!fibers::complaints.empty()) throw std::logic_error("hopper: " + fibers::complaints.front());
}

}  // namespace stamp::test::walked
