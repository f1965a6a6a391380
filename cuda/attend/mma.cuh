// SPDX-License-Identifier: Apache-2.0
// The instructions that the tensor-core kernel is made of, one function each; tests/cuda/fibers
// holds the same functions for the host. Where an instruction keeps which element is NVIDIA's PTX
// manual, "Matrix fragments for mma.m16n8k16 with .bf16". With g = lane/4 and t = lane%4:
//   A 16×16  a[0] (g, 2t…2t+1)  a[1] (g+8, 2t…)  a[2] (g, 2t+8…)  a[3] (g+8, 2t+8…)
//   B 16×8   b[0] (2t…2t+1, g)  b[1] (2t+8…2t+9, g)
//   C 16×8   c[0…1] (g, 2t…2t+1)  c[2…3] (g+8, 2t…2t+1)
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace stamp::cuda::mma {

/// c += a·b, products of bfloat16, sums in float.
__device__ __forceinline__ void multiply_add(float (&c)[4], const std::uint32_t (&a)[4],
                                             std::uint32_t b0, std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four 8×8 matrices whose row r lies at the address that lane 8·matrix + r gives (a multiple of
/// 16 bytes of shared memory); to[matrix] is row g, columns 2t…2t+1.
__device__ __forceinline__ void load_four(std::uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// The same, transposed: to[matrix] is rows 2t…2t+1 of column g.
__device__ __forceinline__ void load_four_transposed(std::uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// 16 bytes from device to shared memory in the background, or zeros where not `there`.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool there) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
  const int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(from), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most `pending` of the newest groups are still on their way.
template <int pending>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

/// Two floats rounded to bfloat16, the first one in the lower half.
[[nodiscard]] __device__ __forceinline__ std::uint32_t pack_two(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

/// 2^x, to two units in the last place; numbers too small for a float's normal range become zero.
[[nodiscard]] __device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace stamp::cuda::mma
