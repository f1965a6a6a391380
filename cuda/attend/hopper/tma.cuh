// SPDX-License-Identifier: Apache-2.0
// Copies of boxes by the tensor memory accelerator, the barriers that they report to, and what else
// a block of specialised warps agrees by; tests/cuda/fibers holds the same functions for the host.
// Source: NVIDIA's PTX manual, "cp.async.bulk.tensor", "mbarrier", "setmaxnreg".
#pragma once

#include <cstdint>

namespace stamp::cuda::tma {

/// A tensor in device memory and the box that one copy takes from it: the driver's words
/// (cuTensorMapEncodeTiled), not ours. A kernel gets it as a parameter.
struct alignas(64) Map {
  std::uint64_t opaque[16];
};

[[nodiscard]] __device__ __forceinline__ std::uint32_t shared_address(const void* place) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(place));
}

/// In shared memory. A phase ends when so many threads have arrived as `prepare` said and all bytes
/// that were expected have come; then the next one begins.
struct Barrier {
  std::uint64_t state;
};

__device__ __forceinline__ void prepare(Barrier& barrier, std::uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;"
               :
               : "r"(shared_address(&barrier)), "r"(arrivals)
               : "memory");
}
/// After `prepare`, before other threads and the accelerator use the barriers.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void arrive(Barrier& barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];"
               :
               : "r"(shared_address(&barrier))
               : "memory");
}
/// Arrives, and lets the phase wait for so many bytes, too.
__device__ __forceinline__ void arrive_and_expect(Barrier& barrier, std::uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
               :
               : "r"(shared_address(&barrier)), "r"(bytes)
               : "memory");
}
/// Until the phase of this parity has ended; of a fresh barrier the one of parity 1 has.
__device__ __forceinline__ void wait(Barrier& barrier, std::uint32_t parity) {
  const std::uint32_t address = shared_address(&barrier);
  std::uint32_t ended = 0;
  while (ended == 0) {
    asm volatile(
        "{\n"
        ".reg .pred ended;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 ended, [%1], %2;\n"
        "selp.b32 %0, 1, 0, ended;\n"
        "}"
        : "=r"(ended)
        : "r"(address), "r"(parity)
        : "memory");
  }
}

/// Starts copying the box at (column, head, key); what lies outside of the tensor becomes zero. All
/// bytes of the box, zeros too, are reported to the barrier.
__device__ __forceinline__ void load(void* to, const Map& map, Barrier& barrier, int column,
                                     int head, int key) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%2, %3, %4}], [%5];"
      :
      : "r"(shared_address(to)), "l"(&map), "r"(column), "r"(head), "r"(key),
        "r"(shared_address(&barrier))
      : "memory");
}
/// Brings the map itself near.
__device__ __forceinline__ void prefetch(const Map& map) {
  asm volatile("prefetch.tensormap [%0];" : : "l"(&map) : "memory");
}

/// What this thread has written to shared memory is seen by matrix instructions and copies that
/// come after it.
__device__ __forceinline__ void publish_writes() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/// So many threads, whole warps, meet; `number` 0 is __syncthreads's.
__device__ __forceinline__ void meet(std::uint32_t number, std::uint32_t threads) {
  asm volatile("bar.sync %0, %1;" : : "r"(number), "r"(threads) : "memory");
}

/// A number that all threads of a warp have, so that the compiler knows it, too.
[[nodiscard]] __device__ __forceinline__ int uniform(int number) {
  return __shfl_sync(0xffffffffU, number, 0);
}

/// A warpgroup gives registers back, or waits for more, a thread.
template <std::uint32_t registers>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" : : "n"(registers));
}
template <std::uint32_t registers>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" : : "n"(registers));
}

}  // namespace stamp::cuda::tma
