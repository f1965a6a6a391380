// SPDX-License-Identifier: Apache-2.0
// The launches of attention for Hopper. Compiled for sm_90a alone, whatever the others are compiled
// for: no other architecture has these instructions.
#include <stamp/cuda/attend/hopper/hopper.cuh>
#include <stamp/cuda/attend/hopper/maps.hpp>
#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

static_assert(hopper_tile.rows == hopper_rows && hopper_tile.keys == hopper_keys);

namespace {

constexpr std::uint32_t boxes_begin_at = 1024;    // multiples of so many bytes of shared memory
constexpr std::size_t block_shared = 227 * 1024;  // what a block of sm_90 can have

template <int dim>
__global__ void __launch_bounds__(hopper_threads, 1)
    hopper(AttendCall<bfloat16> call, AttendParts parts, const __grid_constant__ HopperMaps maps) {
  extern __shared__ float4 memory[];
  auto* const begin = reinterpret_cast<std::byte*>(memory);
  const std::uint32_t past = tma::shared_address(begin) % boxes_begin_at;
  auto* const shared = begin + (past == 0 ? 0 : boxes_begin_at - past);
  attend_hopper_body(*reinterpret_cast<HopperShared<dim>*>(shared), call, parts, maps);
}

template <int dim>
void launch(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts) {
  constexpr std::size_t bytes = sizeof(HopperShared<dim>) + boxes_begin_at;
  static_assert(bytes <= block_shared);
  static OnceADevice allowed;
  allow_shared(allowed, stream, hopper<dim>, bytes);
  HopperMaps maps{};
  encode_map(maps.key.opaque, tile_map(call.key, Swizzle::bytes_128, hopper_keys));
  encode_map(maps.value.opaque, tile_map(call.value, Swizzle::bytes_128, hopper_keys));
  if constexpr (has_narrow_box(dim)) {
    encode_map(maps.narrow_key.opaque, tile_map(call.key, Swizzle::bytes_32, hopper_keys));
    encode_map(maps.narrow_value.opaque, tile_map(call.value, Swizzle::bytes_32, hopper_keys));
  }
  const dim3 grid(blocks(divide_up(call.packed_rows(), hopper_rows)), blocks(call.key.heads),
                  blocks(parts.split.parts));
  hopper<dim><<<grid, hopper_threads, bytes, stream>>>(call, parts, maps);
  check_launch();
}

/// This build holds code that this device runs.
[[nodiscard]] bool built_for_this_device() {
  cudaFuncAttributes attributes{};
  const bool built = cudaFuncGetAttributes(&attributes, hopper<128>) == cudaSuccess;
  (void)cudaGetLastError();  // that there is none is an answer, not a fault
  return built;
}

}  // namespace

void attend_hopper(Stream stream, const AttendCall<bfloat16>& call, const AttendParts& parts) {
  if (call.y.dim == 64) return launch<64>(stream, call, parts);
  if (call.y.dim == 80) return launch<80>(stream, call, parts);
  launch<128>(stream, call, parts);
}

}  // namespace stamp::cuda::kernel

namespace stamp::cuda {

Attention attention_here(Attention wanted) {
  if (wanted == Attention::mma || !can_encode_maps()) return Attention::mma;
  return kernel::built_for_this_device() ? wanted : Attention::mma;
}

}  // namespace stamp::cuda
