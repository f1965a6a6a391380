// SPDX-License-Identifier: Apache-2.0
// Kernels that need more shared memory than a block has without asking are allowed it on each
// device where they are launched, once. The library's own launches on a runtime of host memory.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cuda/runtime/host_runtime.hpp>
#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/once_a_device.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

namespace stamp::cuda {
namespace {

using test::host_runtime;

/// Operands are never read: nothing of a kernel runs here.
template <class T>
AttendCall<T> call_of(Index dim) {
  const ErasedHeads<T> heads{nullptr, 100, 2, dim, 2 * dim};
  const ErasedHeads<const T> read{nullptr, 100, 2, dim, 2 * dim};
  return {heads, read, read, read, 1.0F, MaskRule(Causal{0})};
}

/// Launches on the first device, the second and the first again.
template <class Launch>
void expect_permission_on_each_device(const Launch& launch) {
  reset(host_runtime());
  Device first;
  Device second(1);
  for (Device* const device : {&first, &second, &first}) launch(*device);
  EXPECT_EQ(host_runtime().calls["cudaFuncSetAttribute"], 2) << "once a device";
  EXPECT_EQ(host_runtime().devices_of["cudaFuncSetAttribute"], (std::set<int>{0, 1}));
  EXPECT_EQ(host_runtime().launches, 3);
}

TEST(CudaSharedMemory, IsAllowedToTheTensorKernelOnEachDevice) {
  for (const Index dim : {64, 80, 128}) {
    SCOPED_TRACE(dim);
    expect_permission_on_each_device([dim](Device& device) {
      kernel::attend_tensor(device.stream(), call_of<bfloat16>(dim), {});
    });
  }
}

TEST(CudaSharedMemory, IsAllowedToTheTiledKernelOnEachDevice) {
  expect_permission_on_each_device(
      [](Device& device) { kernel::attend_tiled(device.stream(), call_of<float>(128), {}); });
  expect_permission_on_each_device(
      [](Device& device) { kernel::attend_tiled(device.stream(), call_of<bfloat16>(128), {}); });
}

/// Where no driver writes tensor maps its launches end behind the permission.
TEST(CudaSharedMemory, IsAllowedToTheHopperKernelOnEachDevice) {
  for (const Index dim : {64, 80, 128}) {
    SCOPED_TRACE(dim);
    reset(host_runtime());
    Device first;
    Device second(1);
    for (Device* const device : {&first, &second, &first}) {
      try {
        kernel::attend_hopper(device->stream(), call_of<bfloat16>(dim), {});
      } catch (const Error& error) {
        EXPECT_TRUE(std::string_view(error.what()).starts_with("cuda: tensor map: "))
            << error.what();
      }
    }
    EXPECT_EQ(host_runtime().calls["cudaFuncSetAttribute"], 2) << "once a device";
    EXPECT_EQ(host_runtime().devices_of["cudaFuncSetAttribute"], (std::set<int>{0, 1}));
  }
}

TEST(CudaOnceADevice, DoesAThingOnceForEachOrdinal) {
  OnceADevice once;
  std::vector<int> done;
  const auto ask = [&](int ordinal) { once(ordinal, [&] { done.push_back(ordinal); }); };
  for (const int ordinal : {0, 63, 0, 1, 63, 1}) ask(ordinal);
  EXPECT_EQ(done, (std::vector<int>{0, 63, 1}));
  done.clear();
  for (const int ordinal : {64, 64, 1000}) ask(ordinal);
  EXPECT_EQ(done, (std::vector<int>{64, 64, 1000})) << "again rather than never";
}

TEST(CudaOnceADevice, DoesAgainWhatHasThrown) {
  OnceADevice once;
  EXPECT_THROW(once(2, [] { throw std::runtime_error("refused"); }), std::runtime_error);
  int done = 0;
  for (int again = 0; again < 3; ++again) once(2, [&] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST(CudaOnceADevice, IsDoneBeforeAnyThreadGoesOn) {
  for (int run = 0; run < 200; ++run) {
    OnceADevice once;
    std::atomic<int> allowed = 0;
    std::barrier together(2);
    const auto work = [&](int ordinal) {
      together.arrive_and_wait();
      for (int again = 0; again < 3; ++again) {
        once(ordinal, [&] { allowed.fetch_or(1 << ordinal); });
        EXPECT_NE(allowed.load() & (1 << ordinal), 0);
      }
    };
    std::thread another(work, 1);
    work(run % 2);
    another.join();
  }
}

}  // namespace
}  // namespace stamp::cuda
