// SPDX-License-Identifier: Apache-2.0
// Finds cuTensorMapEncodeTiled in the driver and calls it.
#include <cuda.h>
#include <dlfcn.h>

#include <cstring>
#include <stamp/cuda/attend/hopper/maps.hpp>
#include <stamp/tensor/check.hpp>
#include <string>

namespace stamp::cuda {

namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

[[nodiscard]] Encode find_encode() {
  void* const driver = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return nullptr;
  return reinterpret_cast<Encode>(::dlsym(driver, "cuTensorMapEncodeTiled"));
}
[[nodiscard]] Encode encode() {
  static const Encode found = find_encode();
  return found;
}

}  // namespace

bool can_encode_maps() { return encode() != nullptr; }

void encode_map(std::uint64_t (&words)[16], const TileMap& map) {
  static_assert(sizeof(words) == sizeof(CUtensorMap));
  if (!can_encode_maps()) {
    fail(Fault::resource,
         "cuda: tensor map: expected cuTensorMapEncodeTiled in the driver, found none");
  }
  CUtensorMap encoded{};
  const cuuint64_t extents[3] = {map.extents[0], map.extents[1], map.extents[2]};
  const cuuint64_t strides[2] = {map.strides[0], map.strides[1]};
  const cuuint32_t box[3] = {map.box[0], map.box[1], map.box[2]};
  const cuuint32_t every[3] = {1, 1, 1};
  const CUtensorMapSwizzle swizzle =
      map.swizzle == Swizzle::bytes_128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_32B;
  const CUresult status =
      encode()(&encoded, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<void*>(map.data), extents,
               strides, box, every, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
               CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    fail(Fault::resource, "cuda: tensor map: expected one of " + std::to_string(map.extents[2]) +
                              " rows, " + std::to_string(map.extents[1]) + " heads of " +
                              std::to_string(map.extents[0]) + ", found driver error " +
                              std::to_string(status));
  }
  std::memcpy(words, &encoded, sizeof(words));
}

}  // namespace stamp::cuda
