// SPDX-License-Identifier: Apache-2.0
// A kernel fault is said once, with what the runtime calls it; from then on neither the runtime nor
// the product library is called, by whoever still holds something of the device.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cuda/runtime/host_products.hpp>
#include <cuda/runtime/host_runtime.hpp>
#include <cuda/runtime/sentence_of.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {
namespace {

using test::host_products;
using test::host_runtime;
using test::sentence_of;

constexpr const char* no_further_work = "cuda: no further work: a kernel has failed before";

/// Runs a body in a process of its own, since a fault is for good.
template <class Body>
void in_a_new_process(const Body& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    reset(host_runtime());
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see above";
}

void expect_fault(const std::string& sentence, const std::string& file = "") {
  EXPECT_EQ(sentence.rfind("cuda: kernel fault: an illegal memory access was encountered, noticed "
                           "at " +
                               file,
                           0),
            0U)
      << sentence;
}

/// A kernel that reads what is not its own, when it comes to run.
void launch_what_fails(Device& device) {
  (void)test::queue(device.stream(), [] { host_runtime().context = cudaErrorIllegalAddress; });
}

/// A product with more rows than the library's own kernels take.
void multiply_something(Device& device, std::byte* memory, Index rows = 8) {
  auto* const numbers = reinterpret_cast<float*>(memory);
  multiply<float>(device, {{numbers, rows, 16, 16}, {numbers, rows, 16, 16}, numbers});
}

/// All that somebody can still ask.
void expect_no_call_whatever_is_asked(const std::shared_ptr<Device>& device, const Graph& graph,
                                      std::byte* memory) {
  const auto nothing = [](auto...) {};
  const std::vector<std::function<void()>> everything{
      [&] { (void)device->stream(); },
      [&] { (void)device->allocate(1000); },
      [&] { device->upload(memory, 4, nothing); },
      [&] { device->download(memory, 4, nothing); },
      [&] { device->set(memory, 0, 4); },
      [&] { device->wait(); },
      [&] { (void)device->record(nothing); },
      [&] { device->launch(graph); },
      [&] { multiply_something(*device, memory); },
      [&] { multiply_something(*device, memory, 1); },
      [] { check_launch(); },
      [] { const Device another; },
  };
  for (std::size_t at = 0; at < everything.size(); ++at) {
    EXPECT_EQ(sentence_of(everything[at]), no_further_work) << at;
  }
  EXPECT_EQ(missing_device(), no_further_work);
  device->poison(memory, 4);
  device->release(memory);
}

/// Everything of a device that somebody can hold, a fault that `notice` meets, and what comes then.
template <class Notice>
void expect_silence_after(const Notice& notice) {
  in_a_new_process([&] {
    auto device = std::make_shared<Device>();
    std::byte* const memory = device->allocate(4096);
    std::byte* const other = device->allocate(std::size_t{5} << 20U);
    device->upload(memory, 4, [](auto...) {});
    multiply_something(*device, memory);
    Graph graph = device->record([&] { multiply_something(*device, memory); });
    EXPECT_NE(graph, nullptr);
    {
      Engine<float> engine;
      const auto frame = engine.frame();
      const auto kept = engine.keep(Hidden{7});
      EXPECT_NE(engine.allocate<float>(Hidden{7}).data(), nullptr);
      EXPECT_EQ(host_runtime().after_fault, 0);
      notice(*device, memory);
      EXPECT_EQ(host_runtime().after_fault, 0) << "between the fault and its sentence";
      expect_no_call_whatever_is_asked(device, graph, other);
    }
    graph.reset();
    device.reset();
    EXPECT_FALSE(alive());
    EXPECT_TRUE(host_runtime().fault_told);
    EXPECT_EQ(host_runtime().after_fault, 0);
    EXPECT_EQ(host_runtime().calls["cublasLtDestroy"], 0);
  });
}

TEST(CudaLostDevice, IsLeftAloneByWhoeverNoticesFirst) {
  using Ask = std::function<void(Device&, std::byte*)>;
  const std::vector<std::pair<const char*, Ask>> asks{
      {"wait", [](Device& device, std::byte*) { device.wait(); }},
      {"download",
       [](Device& device, std::byte* memory) { device.download(memory, 4, [](auto...) {}); }},
      {"upload",
       [](Device& device, std::byte* memory) {
         for (int piece = 0; piece < 9; ++piece) device.upload(memory, 4, [](auto...) {});
       }},
      {"a product that was never timed",
       [](Device& device, std::byte* memory) { multiply_something(device, memory, 9); }},
  };
  for (const auto& [name, ask] : asks) {
    SCOPED_TRACE(name);
    expect_silence_after([&](Device& device, std::byte* memory) {
      launch_what_fails(device);
      expect_fault(sentence_of([&] { ask(device, memory); }));
    });
  }
}

TEST(CudaLostDevice, IsLeftAloneWhereTheContextFailsBetweenTwoCalls) {
  using Ask = std::function<void(Device&, std::byte*)>;
  const std::vector<std::pair<const char*, Ask>> asks{
      {"set", [](Device& device, std::byte* memory) { device.set(memory, 0, 4); }},
      {"allocate",
       [](Device& device, std::byte*) { (void)device.allocate(std::size_t{9} << 20U); }},
      {"the product library",
       [](Device& device, std::byte* memory) { multiply_something(device, memory); }},
      {"a launch",
       [](Device& device, std::byte* memory) { multiply_something(device, memory, 1); }},
      {"a recording's begin", [](Device& device, std::byte*) { (void)device.record([] {}); }},
  };
  for (const auto& [name, ask] : asks) {
    SCOPED_TRACE(name);
    expect_silence_after([&](Device& device, std::byte* memory) {
      host_runtime().context = cudaErrorIllegalAddress;
      const std::string sentence = sentence_of([&] { ask(device, memory); });
      // The library asks a runtime of its own, so ours is asked for the device and the reason.
      host_runtime().after_fault -= std::string_view(name) == "the product library" ? 2 : 0;
      if (sentence != no_further_work) expect_fault(sentence);
      EXPECT_FALSE(alive());
    });
  }
}

TEST(CudaLostDevice, IsLeftAloneInTheMiddleOfARecording) {
  expect_silence_after([](Device& device, std::byte* memory) {
    const auto step = [&] {
      host_runtime().context = cudaErrorIllegalAddress;
      device.set(memory, 0, 4);
    };
    expect_fault(sentence_of([&] { (void)device.record(step); }), "device.cpp:");
    EXPECT_FALSE(device.recording());
  });
  expect_silence_after([](Device& device, std::byte*) {
    const auto step = [] { host_runtime().context = cudaErrorIllegalAddress; };
    EXPECT_EQ(sentence_of([&] { (void)device.record(step); }), no_further_work);
  });
}

TEST(CudaLostDevice, IsLeftAloneByItsOwnEnd) {
  in_a_new_process([] {
    {
      Device device;
      std::byte* const memory = device.allocate(4096);
      device.upload(memory, 4, [](auto...) {});
      multiply_something(device, memory);
      launch_what_fails(device);
    }
    EXPECT_TRUE(host_runtime().fault_told);
    EXPECT_EQ(host_runtime().after_fault, 0);
    EXPECT_FALSE(alive());
  });
}

TEST(CudaLostDevice, IsLostByEveryErrorThatTheDriverDoesNotForget) {
  for (const auto status :
       {cudaErrorIllegalAddress, cudaErrorMisalignedAddress, cudaErrorIllegalInstruction,
        cudaErrorInvalidAddressSpace, cudaErrorInvalidPc, cudaErrorHardwareStackError,
        cudaErrorLaunchFailure, cudaErrorLaunchTimeout, cudaErrorAssert, cudaErrorECCUncorrectable,
        cudaErrorNvlinkUncorrectable, cudaErrorContextIsDestroyed, cudaErrorMpsClientTerminated,
        cudaErrorExternalDevice, static_cast<cudaError_t>(226), static_cast<cudaError_t>(721)}) {
    SCOPED_TRACE(static_cast<int>(status));
    in_a_new_process([status] {
      Device device;
      host_runtime().refuse(status == cudaErrorAssert ? "cudaGetDevice" : "cudaStreamSynchronize",
                            status);
      EXPECT_EQ(sentence_of([&] { device.wait(); }).rfind("cuda: kernel fault: ", 0), 0U);
      EXPECT_EQ(sentence_of([&] { device.wait(); }), no_further_work);
    });
  }
}

}  // namespace
}  // namespace stamp::cuda
