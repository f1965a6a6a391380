// SPDX-License-Identifier: Apache-2.0
// The device as it stands on a runtime of host memory: what it says where there is none or too
// little, when it asks for memory, what it waits for, and steps that cannot be recorded.
#include <gtest/gtest.h>

#include <cuda/runtime/host_runtime.hpp>
#include <cuda/runtime/sentence_of.hpp>
#include <stamp/cuda/engine.hpp>
#include <stamp/cuda/faults.hpp>
#include <stamp/cuda/recordings.hpp>
#include <thread>

namespace stamp::cuda {
namespace {

using test::host_runtime;
using test::sentence_of;

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

class CudaDevice : public testing::Test {
 protected:
  void SetUp() override { reset(host_runtime()); }
  void TearDown() override {
    for (const auto& [kind, count] : host_runtime().live) EXPECT_EQ(count, 0) << kind;
  }
};

/// Of a device that cannot be had; missing_device() says the same, but for the architecture.
std::string why_no_device_here() {
  std::string sentence = sentence_of([] { const Device device; });
  if (host_runtime().has_code) {
    EXPECT_EQ(missing_device(), sentence);
  }
  return sentence;
}

TEST_F(CudaDevice, SaysInOneLineWhyThereIsNone) {
  const std::string runtime = version_text(CUDART_VERSION);
  host_runtime().driver = 0;
  EXPECT_EQ(why_no_device_here(), "cuda: no device: expected an NVIDIA driver, found none");
  host_runtime().driver = 11080;
  EXPECT_EQ(why_no_device_here(),
            "cuda: driver too old: expected one for CUDA " + runtime + ", found one for CUDA 11.8");
  reset(host_runtime());
  host_runtime().devices = 0;
  EXPECT_EQ(why_no_device_here(), "cuda: no device: expected an NVIDIA GPU, found none");
  reset(host_runtime());
  host_runtime().refuse("cudaGetDeviceCount", cudaErrorSystemNotReady);
  EXPECT_EQ(missing_device(),
            "cuda: no device: expected an NVIDIA GPU, found a driver that says: system not yet "
            "initialized");
  host_runtime().refuse("cudaGetDeviceCount", cudaErrorSystemNotReady);
  EXPECT_NE(sentence_of([] { const Device device; }).find("system not yet initialized"),
            std::string::npos);
  host_runtime().has_code = false;
  EXPECT_EQ(why_no_device_here().rfind("cuda: architecture not built: expected code for compute "
                                       "capability 9.0 (Host), found ",
                                       0),
            0U);
  reset(host_runtime());
  EXPECT_EQ(missing_device(), "");
  EXPECT_EQ(sentence_of([] { const Device device; }), "no error")
      << "once what was missing is there";
}

TEST_F(CudaDevice, OutOfMemorySaysHowMuchWasNeededAndIsFree) {
  host_runtime().memory = 8 * mebibyte;
  Device device;
  std::byte* const taken = device.allocate(3 * mebibyte);
  EXPECT_EQ(sentence_of([&] { (void)device.allocate(6 * mebibyte); }),
            "cuda: out of device memory: needed 6.0 MiB, free are 5.0 MiB of 8.0 MiB");
  device.release(taken);
  EXPECT_EQ(sentence_of([&] { (void)device.allocate(6 * mebibyte); }), "no error");
}

TEST_F(CudaDevice, OutOfMemoryIsTheSameSentenceWhoeverNeededIt) {
  host_runtime().memory = 8 * mebibyte;
  host_runtime().refuse("cudaStreamCreateWithFlags", cudaErrorMemoryAllocation);
  EXPECT_EQ(sentence_of([] {
              const Device device;
            }).rfind("cuda: out of device memory: needed memory for the call at device.cpp:", 0),
            0U);
  host_runtime().refuse("cudaFuncGetAttributes", cudaErrorMemoryAllocation);
  EXPECT_EQ(sentence_of([] {
              const Device device;
            }).rfind("cuda: out of device memory: needed memory for the call at device.cpp:", 0),
            0U)
      << "loading code takes memory, too";
  host_runtime().refuse("cudaSetDevice", cudaErrorMemoryAllocation);
  host_runtime().refuse("cudaMemGetInfo", cudaErrorMemoryAllocation);
  const std::string sentence = sentence_of([] { const Device device; });
  EXPECT_EQ(sentence.find("free"), std::string::npos) << sentence;
}

TEST_F(CudaDevice, OutOfPinnedMemoryIsSaidAndDoesNoHarm) {
  Device device;
  std::byte* const memory = device.allocate(4);
  const auto upload = [&] {
    device.upload(memory, 4, [](std::byte* chunk, Index, Index) { std::memset(chunk, 7, 4); });
  };
  host_runtime().refuse("cudaMallocHost", cudaErrorMemoryAllocation);
  EXPECT_EQ(sentence_of(upload), "cuda: out of pinned memory: needed 4.0 MiB");
  host_runtime().refuse("cudaEventCreateWithFlags", cudaErrorInvalidValue);
  EXPECT_NE(sentence_of(upload), "no error");
  for (int again = 0; again < 9; ++again) EXPECT_EQ(sentence_of(upload), "no error");
  device.wait();
  EXPECT_EQ(static_cast<int>(memory[3]), 7);
}

/// Four pieces of pinned memory are filled again and again; nothing is copied before it must be.
TEST_F(CudaDevice, FillsPinnedMemoryAgainWhenItsCopyIsDone) {
  constexpr Index bytes = (Index{37} << 20U) + 12;
  constexpr Index piece = Index{4} << 20U;
  Device device;
  std::byte* const memory = device.allocate(static_cast<std::size_t>(bytes));
  const auto byte_at = [](Index place) { return static_cast<std::byte>(place / 4093 % 251); };
  device.upload(memory, 4 * piece, [](std::byte*, Index, Index) {});
  EXPECT_EQ(host_runtime().calls["cudaEventSynchronize"], 0) << "each piece is new";
  device.upload(memory, bytes, [&](std::byte* chunk, Index begin, Index count) {
    for (Index at = 0; at < count; ++at) chunk[at] = byte_at(begin + at);
  });
  EXPECT_EQ(host_runtime().calls["cudaEventSynchronize"], 10) << "one a piece, no other wait";
  EXPECT_EQ(host_runtime().calls["cudaStreamSynchronize"], 0);
  Index wrong = 0;
  Index read = 0;
  device.download(memory, bytes, [&](const std::byte* chunk, Index begin, Index count) {
    for (Index at = 0; at < count; ++at) wrong += chunk[at] == byte_at(begin + at) ? 0 : 1;
    read += count;
  });
  EXPECT_EQ(read, bytes);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(host_runtime().calls["cudaMallocHost"], 4);
}

/// Sends `bytes` of one value.
void send(Device& device, std::byte* to, Index bytes, int value) {
  device.upload(to, bytes, [=](std::byte* chunk, Index, Index count) {
    std::memset(chunk, value, static_cast<std::size_t>(count));
  });
}
/// Every byte, read when all that was queued is done.
std::vector<int> received(Device& device, const std::byte* from, Index bytes) {
  std::vector<int> values;
  device.download(from, bytes, [&](const std::byte* chunk, Index, Index count) {
    for (Index at = 0; at < count; ++at) values.push_back(static_cast<int>(chunk[at]));
  });
  return values;
}

TEST_F(CudaDevice, SendsSmallPiecesThatFollowOneAnotherAsOne) {
  Device device;
  std::byte* const memory = device.allocate(1024);
  send(device, memory, 512, 1);
  send(device, memory + 512, 256, 2);
  send(device, memory + 768, 4, 3);
  EXPECT_EQ(host_runtime().calls["cudaMemcpyAsync"], 0) << "more may follow";
  const std::vector<int> found = received(device, memory, 772);
  EXPECT_EQ(host_runtime().calls["cudaMemcpyAsync"], 2) << "one there, one back";
  std::vector<int> expected(512, 1);
  expected.resize(768, 2);
  expected.resize(772, 3);
  EXPECT_EQ(found, expected);

  // A gap, what comes before, and the same place again are copies of their own, in their order.
  host_runtime().calls.clear();
  send(device, memory + 256, 4, 4);
  send(device, memory + 264, 4, 5);
  send(device, memory, 4, 6);
  send(device, memory, 4, 7);
  EXPECT_EQ(received(device, memory, 4), std::vector<int>(4, 7));
  EXPECT_EQ(host_runtime().calls["cudaMemcpyAsync"], 5);
  EXPECT_EQ(received(device, memory + 256, 12),
            (std::vector<int>{4, 4, 4, 4, 1, 1, 1, 1, 5, 5, 5, 5}));

  // No piece is joined that would make them many, or that starts askew.
  host_runtime().calls.clear();
  std::byte* const large = device.allocate(std::size_t{1} << 18U);
  send(device, large, 60000, 1);
  send(device, large + 60000, 60000, 2);
  send(device, memory + 1, 3, 1);
  send(device, memory + 4, 4, 2);
  device.wait();
  EXPECT_EQ(host_runtime().calls["cudaMemcpyAsync"], 4);
}

/// Whatever is queued comes behind the pieces that wait.
TEST_F(CudaDevice, SendsWhatWaitsAheadOfAllOtherWork) {
  Device device;
  std::byte* const memory = device.allocate(256);
  const Graph graph = device.record(
      [&] { (void)test::queue(device.stream(), [memory] { memory[1] = memory[0]; }); });
  ASSERT_NE(graph, nullptr);
  const std::vector<std::function<void()>> works{
      [&] { (void)test::queue(device.stream(), [memory] { memory[1] = memory[0]; }); },
      [&, held = device.stream()] { (void)test::queue(held, [memory] { memory[1] = memory[0]; }); },
      [&] { device.launch(graph); }};
  for (std::size_t work = 0; work < works.size(); ++work) {
    for (int value = 1; value < 4; ++value) {
      send(device, memory, 1, value);
      works[work]();
      EXPECT_EQ(received(device, memory + 1, 1), std::vector<int>{value}) << "work " << work;
    }
  }
  send(device, memory, 1, 9);
  device.set(memory, 5, 1);
  EXPECT_EQ(received(device, memory, 1), std::vector<int>{5});
  send(device, memory, 1, 9);
  device.wait();
  EXPECT_EQ(static_cast<int>(memory[0]), 9);
  send(device, memory, 1, 8);
  const Graph none = device.record([] {});
  EXPECT_EQ(received(device, memory, 1), std::vector<int>{8}) << "it was not recorded";
}

TEST_F(CudaDevice, SendsWhatWaitsBeforeItsMemoryGoesBackToTheDriver) {
  host_runtime().memory = 8 * mebibyte;
  Device device;
  std::byte* const memory = device.allocate(5 * mebibyte);
  send(device, memory, 4, 1);
  device.release(memory);
  std::byte* const larger = device.allocate(7 * mebibyte);  // takes the place of the other
  EXPECT_EQ(host_runtime().calls["cudaMemcpyAsync"], 1);
  send(device, larger, 4, 2);
  EXPECT_EQ(received(device, larger, 4), std::vector<int>(4, 2));
}

TEST_F(CudaDevice, AsksForNoMemoryAfterTheFirstPassOfASize) {
  Engine<float> engine;
  const auto pass = [&](Index tokens) {
    const auto frame = engine.frame();
    const std::vector<float> numbers(static_cast<std::size_t>(tokens) * 8, 3.0F);
    const auto x = engine.allocate<float>(Tokens{tokens}, Hidden{8});
    const auto y = engine.allocate<float>(Tokens{tokens}, Hidden{32});
    const auto kept = engine.keep(Hidden{tokens * 1000});
    engine.upload(x, std::span(numbers));
    const auto w = engine.allocate<float>(Ffn{32}, Hidden{8});
    multiply<float>(engine.device(), {erase(y), erase(View<const float, Tokens, Hidden>(x)),
                                      w.data(), nullptr, Into::add});
    std::vector<float> found(static_cast<std::size_t>(y.size()));
    engine.download(std::span(found), y);
  };
  pass(100);
  pass(7);
  const std::size_t requests = engine.device().requests();
  host_runtime().calls.clear();
  for (int again = 0; again < 5; ++again) {
    pass(100);
    pass(7);
  }
  EXPECT_EQ(engine.device().requests(), requests);
  for (const auto* call : {"cudaMalloc", "cudaFree", "cudaMallocHost", "cudaEventCreate",
                           "cudaEventCreateWithFlags", "cudaStreamSynchronize"}) {
    EXPECT_EQ(host_runtime().calls[call], 0) << call;
  }
}

/// Counts on the device, five times.
void expect_five_counts(Device& device, Recordings& recordings, int bodies) {
  std::byte* const memory = device.allocate(sizeof(int));
  device.set(memory, 0, sizeof(int));
  int seen = 0;
  for (int run = 0; run < 5; ++run) {
    recordings.run(device, {}, [&] {
      ++seen;
      (void)test::queue(device.stream(), [memory] { ++*reinterpret_cast<int*>(memory); });
    });
  }
  device.wait();
  EXPECT_EQ(*reinterpret_cast<int*>(memory), 5);
  EXPECT_EQ(seen, bodies);
  EXPECT_FALSE(device.recording());
}

TEST_F(CudaDevice, RecordsTheSecondStepAndLaunchesItFromThenOn) {
  Device device;
  Recordings recordings;
  expect_five_counts(device, recordings, 2);
  EXPECT_EQ(host_runtime().calls["cudaGraphLaunch"], 4);
}

TEST_F(CudaDevice, AStepThatTheDriverDoesNotRecordRunsPlainly) {
  for (const auto* call :
       {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"}) {
    SCOPED_TRACE(call);
    reset(host_runtime());
    Device device;
    Recordings recordings;
    host_runtime().refuse(call, cudaErrorNotSupported);
    const int bodies = std::string_view(call) == "cudaStreamBeginCapture" ? 5 : 6;
    expect_five_counts(device, recordings, bodies);
    EXPECT_EQ(host_runtime().calls["cudaGraphLaunch"], 0);
    EXPECT_EQ(sentence_of([] { check_launch(); }), "no error") << "what was refused is forgotten";
  }
}

TEST_F(CudaDevice, WhereKernelsThatOverlapAreNotRecordedTheyStopOverlapping) {
  host_runtime().overlaps = true;
  Device device;
  EXPECT_TRUE(device.stream().overlaps);
  std::vector<bool> seen;
  const auto body = [&] { seen.push_back(device.stream().overlaps); };
  host_runtime().refuse("cudaGraphInstantiate", cudaErrorNotSupported);
  EXPECT_NE(device.record(body), nullptr);
  EXPECT_EQ(seen, (std::vector<bool>{true, false}));
  EXPECT_FALSE(device.stream().overlaps) << "from now on";
  device.overlap_kernels(true);
  seen.clear();
  EXPECT_EQ(device.record([&] {
    body();
    device.wait();
  }),
            nullptr);
  EXPECT_EQ(seen, (std::vector<bool>{true, false}));
  EXPECT_TRUE(device.stream().overlaps) << "it was not their fault";
  host_runtime().overlaps = false;
  Device other;
  other.overlap_kernels(true);
  EXPECT_FALSE(other.stream().overlaps) << "this device cannot";
}

TEST_F(CudaDevice, AStepThatWaitsIsNotRecorded) {
  Device device;
  EXPECT_EQ(device.record([&] { device.wait(); }), nullptr);
  EXPECT_EQ(host_runtime().calls["cudaStreamSynchronize"], 0);
  EXPECT_EQ(device.record([&] { (void)cudaStreamSynchronize(device.stream()); }), nullptr);
  EXPECT_THROW((void)device.record([] { throw 1; }), int);
  EXPECT_FALSE(device.recording());
  device.wait();
}

TEST_F(CudaDevice, AGraphThatLacksMemoryGetsWhatIsFreeOrSaysSo) {
  host_runtime().memory = 8 * mebibyte;
  Device device;
  device.release(device.allocate(3 * mebibyte));
  host_runtime().refuse("cudaGraphInstantiate", cudaErrorMemoryAllocation);
  EXPECT_NE(device.record([] {}), nullptr);
  EXPECT_EQ(host_runtime().held(), 0U) << "what nobody used went back to the driver";
  host_runtime().memory = 0;
  const auto record = [&] { (void)device.record([] {}); };
  host_runtime().refuse("cudaGraphInstantiate", cudaErrorMemoryAllocation);
  EXPECT_EQ(sentence_of(record), "no error");
  host_runtime().graphs_fit = false;
  EXPECT_EQ(sentence_of(record),
            "cuda: out of device memory: needed memory for a graph, free are 0.0 MiB of 0.0 MiB");
  EXPECT_FALSE(device.recording());
}

TEST_F(CudaDevice, AnErrorThatIsOneCallsAloneLosesNothing) {
  Device device;
  for (const auto status : {cudaErrorUnknown, cudaErrorInvalidValue, cudaErrorNotSupported}) {
    host_runtime().refuse("cudaStreamSynchronize", status);
    EXPECT_EQ(sentence_of([&] { device.wait(); }).rfind("cuda: ", 0), 0U);
    EXPECT_TRUE(alive());
    device.wait();
  }
}

/// What is asked of a device, and of which device the runtime was asked for it.
struct Asked {
  const char* name;
  std::function<void()> ask;
  std::vector<const char*> calls;
};

TEST_F(CudaDevice, WhateverTheThreadsDeviceIsItsOwnIsAsked) {
  Device device(1);
  EXPECT_EQ(device.facts().ordinal, 1);
  std::byte* const memory = device.allocate(mebibyte);
  std::byte byte{};
  const auto fill = [](std::byte* chunk, Index, Index) { *chunk = std::byte{7}; };
  const auto take = [&](const std::byte* chunk, Index, Index) { byte = *chunk; };
  const Graph graph = device.record([&] { device.set(memory, 1, 4); });
  ASSERT_NE(graph, nullptr);
  auto* const numbers = reinterpret_cast<float*>(memory);
  const Product<float> product{{numbers, 8, 16, 16}, {numbers, 8, 16, 16}, numbers};
  const std::vector<Asked> everything{
      {"allocate", [&] { (void)device.allocate(mebibyte); }, {"cudaMalloc"}},
      {"upload",
       [&] {
         device.upload(memory, 1, fill);
         ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
         device.send_uploads();
       },
       {"cudaMemcpyAsync", "cudaEventRecord"}},
      {"download", [&] { device.download(memory, 1, take); }, {"cudaMemcpyAsync"}},
      {"set", [&] { device.set(memory, 0, 4); }, {"cudaMemsetAsync"}},
      {"poison", [&] { device.poison(memory, 4); }, {"cudaMemsetAsync"}},
      {"wait", [&] { device.wait(); }, {"cudaStreamSynchronize"}},
      {"record", [&] { (void)device.record([] {}); }, {"cudaStreamBeginCapture"}},
      {"launch", [&] { device.launch(graph); }, {"cudaGraphLaunch"}},
      {"a kernel", [&] { EXPECT_EQ(test::queue(device.stream(), [] {}), cudaSuccess); }, {}},
      {"a product", [&] { multiply(device, product); }, {"cublasLtCreate", "cublasLtMatmul"}},
  };
  const auto ask = [&](const Asked& asked) {
    host_runtime().devices_of.clear();
    host_runtime().calls.clear();
    EXPECT_EQ(sentence_of(asked.ask), "no error");
    for (const char* call : asked.calls) EXPECT_TRUE(host_runtime().calls[call] > 0) << call;
    for (const auto& [call, devices] : host_runtime().devices_of) {
      if (call == "cudaGetDevice" || call == "cudaSetDevice") continue;
      EXPECT_EQ(devices, std::set<int>{1}) << call;
    }
  };
  for (const Asked& asked : everything) {
    SCOPED_TRACE(asked.name);
    ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
    ask(asked);
    EXPECT_EQ(test::current_device(), 1) << "and stays so";
    if (std::string_view(asked.name) == "a product") continue;  // its plan is made once
    std::thread(ask, asked).join();
  }
  EXPECT_EQ(byte, std::byte{7});

  auto other = std::make_unique<Device>(1);
  (void)other->allocate(1);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  host_runtime().devices_of.clear();
  other.reset();
  for (const char* call : {"cudaFree", "cudaStreamDestroy"}) {
    EXPECT_EQ(host_runtime().devices_of[call], std::set<int>{1}) << call << ", at its end";
  }
}

TEST_F(CudaDevice, TwoDevicesAreUsedInTurn) {
  Device first(0);
  Device second(1);
  std::array<Device*, 2> devices{&first, &second};
  std::array<std::byte*, 2> memory{first.allocate(16), second.allocate(16)};
  for (int turn = 0; turn < 4; ++turn) {
    for (std::size_t at = 0; at < 2; ++at) {
      const auto value = static_cast<std::byte>(10 * turn + static_cast<int>(at));
      devices[at]->upload(memory[at], 1, [&](std::byte* chunk, Index, Index) { *chunk = value; });
      devices[1 - at]->wait();
      devices[at]->download(
          memory[at], 1, [&](const std::byte* chunk, Index, Index) { EXPECT_EQ(*chunk, value); });
    }
  }
  EXPECT_NE(sentence_of([] { const Device device(2); }), "no error");
  EXPECT_NE(sentence_of([] { const Device device(-1); }), "no error");
}

}  // namespace
}  // namespace stamp::cuda
