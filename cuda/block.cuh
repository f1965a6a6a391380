// SPDX-License-Identifier: Apache-2.0
// A thread block as phases between barriers. A kernel's body is a template over its block: on the
// device each thread is one thread, in the tests a loop on the host walks them one after another,
// so that index arithmetic runs against the reference, and under a sanitizer, without a GPU.
//
//   block.each(phase)              phase(thread, registers) by every thread, then a barrier
//   block.warp_sum<N>(value)       value(registers, i), i < N, becomes its sum over the warp
//   block.sum(scratch, value)      value(registers) becomes its sum over the block
//   block.x(), y(), z()            which block
//
// A device's block is made before anything else in a kernel, because making it waits for the
// kernels before it (await_earlier). What may come ahead of that wait is said to the constructor.
//
// Sums are taken in the same order here and there: butterflies in a warp, then warp by warp.
#pragma once

#include <stamp/tensor/check.hpp>

namespace stamp::cuda {

inline constexpr int warp_size = 32;

/// The beginning of every kernel that `launch` (runtime.cuh) queues. The next kernel may begin, and
/// wait as this one does, as soon as all blocks of this one have: its blocks take what room there
/// is, and what they read ahead is on its way when this kernel ends.
__device__ inline void let_next_begin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}
/// All earlier kernels have ended and what they wrote is there. Before it a kernel reads and writes
/// no memory: earlier ones may be writing what it reads, and still be reading what it writes.
__device__ inline void await_earlier() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}
/// Asks for a line of memory without reading it, into the second level cache, which sees all
/// writes: the one thing that a kernel may do with memory ahead of await_earlier.
__device__ inline void fetch_ahead(const void* from) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
}

/// The same for a whole vector, as far as a line for each thread of the block goes.
template <class T>
__device__ void fetch_vector_ahead(const T* from, Index count) {
  const Index at = Index{threadIdx.x} * static_cast<Index>(128 / sizeof(T));
  if (at < count) fetch_ahead(from + at);
}

template <class Registers>
class DeviceBlock {
 public:
  __device__ DeviceBlock() : DeviceBlock([] {}) {}
  /// ahead() comes before the wait.
  template <class Ahead>
  __device__ explicit DeviceBlock(const Ahead& ahead) {
    let_next_begin();
    ahead();
    await_earlier();
  }

  [[nodiscard]] __device__ Index x() const { return static_cast<Index>(blockIdx.x); }
  [[nodiscard]] __device__ Index y() const { return static_cast<Index>(blockIdx.y); }
  [[nodiscard]] __device__ Index z() const { return static_cast<Index>(blockIdx.z); }
  [[nodiscard]] __device__ int threads() const { return static_cast<int>(blockDim.x); }

  template <class Phase>
  __device__ void each(const Phase& phase) {
    phase(static_cast<int>(threadIdx.x), registers_);
    __syncthreads();
  }

  template <int count, class Value>
  __device__ void warp_sum(const Value& value) {
#pragma unroll
    for (int at = 0; at < count; ++at) {
      float sum = value(registers_, at);
      for (int step = warp_size / 2; step > 0; step /= 2) {
        sum += __shfl_xor_sync(0xffffffffU, sum, step);
      }
      value(registers_, at) = sum;
    }
  }

  template <class Value>
  __device__ void sum(float* scratch, const Value& value) {
    warp_sum<1>([&](Registers& r, int) -> float& { return value(r); });
    const int thread = static_cast<int>(threadIdx.x);
    if (thread % warp_size == 0) scratch[thread / warp_size] = value(registers_);
    __syncthreads();
    float total = 0;
    for (int warp = 0; warp < threads() / warp_size; ++warp) total += scratch[warp];
    __syncthreads();  // scratch may be used again
    value(registers_) = total;
  }

 private:
  Registers registers_;
};

/// The same on the host. `registers` are one a thread; threads is a multiple of 32.
template <class Registers>
class HostBlock {
 public:
  __host__ __device__ HostBlock(Registers* registers, int threads, Index x, Index y, Index z)
      : registers_(registers), threads_(threads), x_(x), y_(y), z_(z) {}

  [[nodiscard]] __host__ __device__ Index x() const { return x_; }
  [[nodiscard]] __host__ __device__ Index y() const { return y_; }
  [[nodiscard]] __host__ __device__ Index z() const { return z_; }
  [[nodiscard]] __host__ __device__ int threads() const { return threads_; }

  template <class Phase>
  __host__ __device__ void each(const Phase& phase) {
    for (int thread = 0; thread < threads_; ++thread) phase(thread, registers_[thread]);
  }

  template <int count, class Value>
  __host__ __device__ void warp_sum(const Value& value) {
    for (int first = 0; first < threads_; first += warp_size) {
      for (int at = 0; at < count; ++at) {
        for (int step = warp_size / 2; step > 0; step /= 2) {
          float sums[warp_size];
          for (int lane = 0; lane < warp_size; ++lane) {
            sums[lane] =
                value(registers_[first + lane], at) + value(registers_[first + (lane ^ step)], at);
          }
          for (int lane = 0; lane < warp_size; ++lane) {
            value(registers_[first + lane], at) = sums[lane];
          }
        }
      }
    }
  }

  template <class Value>
  __host__ __device__ void sum(float* scratch, const Value& value) {
    warp_sum<1>([&](Registers& r, int) -> float& { return value(r); });
    for (int warp = 0; warp < threads_ / warp_size; ++warp) {
      scratch[warp] = value(registers_[warp * warp_size]);
    }
    float total = 0;
    for (int warp = 0; warp < threads_ / warp_size; ++warp) total += scratch[warp];
    for (int thread = 0; thread < threads_; ++thread) value(registers_[thread]) = total;
  }

 private:
  Registers* registers_;
  int threads_;
  Index x_, y_, z_;
};

}  // namespace stamp::cuda
