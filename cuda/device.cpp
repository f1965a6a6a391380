// SPDX-License-Identifier: Apache-2.0
// The host's side of the CUDA runtime: errors, streams, memory, pinned staging.
#include <cuda_runtime.h>

#include <array>
#include <atomic>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/faults.hpp>
#include <stamp/cuda/pool.hpp>
#include <stamp/cuda/probe.hpp>

namespace stamp::cuda {

namespace {

/// Set by the first kernel fault of the process: its context is lost for good.
std::atomic<bool> lost{false};

/// Errors after which the driver accepts no more work from this process.
[[nodiscard]] bool is_fault(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

void check(cudaError_t status,
           const std::source_location& where = std::source_location::current()) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // an error that is not sticky is reported once
  if (is_fault(status)) {
    lost = true;
    fail(Fault::resource, kernel_fault(cudaGetErrorString(status), place(where)));
  }
  fail(Fault::resource, call_failed(cudaGetErrorString(status), place(where)));
}

struct DeviceMemory {
  static void* allocate(std::size_t bytes) {
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return nullptr;
    }
    check(status);
    return memory;
  }
  static void release(void* memory) noexcept {
    if (!lost) (void)cudaFree(memory);  // waits for the device
  }
};

/// A piece of pinned memory and when the device is done with it.
struct Slot {
  static constexpr Index bytes = Index{4} << 20U;
  std::byte* memory = nullptr;
  cudaEvent_t done = nullptr;
};

}  // namespace

struct Device::State {
  DeviceFacts facts;
  cudaStream_t stream = nullptr;
  Pool<DeviceMemory> pool{DeviceMemory{}};
  std::array<Slot, 4> slots{};
  std::size_t next = 0;
  std::shared_ptr<void> products;
  bool recording = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;
  ~State() {
    if (lost) return;
    if (stream != nullptr) (void)cudaStreamSynchronize(stream);
    products.reset();
    for (const Slot& slot : slots) {
      if (slot.done != nullptr) (void)cudaEventDestroy(slot.done);
      if (slot.memory != nullptr) (void)cudaFreeHost(slot.memory);
    }
    if (stream != nullptr) (void)cudaStreamDestroy(stream);
  }

  /// A recording would repeat the copy with whatever the pinned memory holds then.
  void expect_no_recording(const char* what) const {
    if (recording) {
      fail(Fault::usage,
           std::string("cuda: expected launches alone in a recorded step, found ") + what);
    }
  }

  /// The next slot, when what was in it has been copied.
  Slot& slot() {
    Slot& taken = slots[next];
    next = (next + 1) % slots.size();
    if (taken.memory == nullptr) {
      void* memory = nullptr;
      check(cudaMallocHost(&memory, static_cast<std::size_t>(Slot::bytes)));
      taken.memory = static_cast<std::byte*>(memory);
      check(cudaEventCreateWithFlags(&taken.done, cudaEventDisableTiming));
    } else {
      check(cudaEventSynchronize(taken.done));
    }
    return taken;
  }
};

std::string missing_device() {
  int driver = 0;
  int runtime = 0;
  int devices = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  if (cudaGetDeviceCount(&devices) != cudaSuccess) devices = 0;
  (void)cudaGetLastError();
  return why_no_device(driver, runtime, devices);
}

Device::Device(int ordinal) {
  check_alive();
  const std::string missing = missing_device();
  if (!missing.empty()) fail(Fault::resource, missing);
  check(cudaSetDevice(ordinal));
  state_ = std::make_unique<State>();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, ordinal));
  state_->facts = {properties.name,           properties.major,
                   properties.minor,          properties.multiProcessorCount,
                   properties.totalGlobalMem, properties.sharedMemPerBlockOptin};
  if (!has_code_for_this_device()) {
    (void)cudaGetLastError();
    fail(Fault::resource,
         no_code_for(properties.name, properties.major, properties.minor, STAMP_CUDA_BUILT_FOR));
  }
  check(cudaStreamCreateWithFlags(&state_->stream, cudaStreamNonBlocking));
}

Device::~Device() = default;

const DeviceFacts& Device::facts() const { return state_->facts; }
Stream Device::stream() const { return state_->stream; }
std::size_t Device::requests() const { return state_->pool.requests(); }
std::shared_ptr<void>& Device::products() { return state_->products; }

std::byte* Device::allocate(std::size_t bytes) {
  check_alive();
  void* const memory = state_->pool.allocate(bytes);
  if (memory == nullptr) {
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total));
    fail(Fault::resource, out_of_memory(Pool<DeviceMemory>::rounded(bytes), free, total));
  }
  return static_cast<std::byte*>(memory);
}

void Device::release(void* memory) noexcept { state_->pool.release(memory); }

void Device::upload(void* to, Index bytes, const Fill& fill) {
  check_alive();
  state_->expect_no_recording("an upload");
  for (Index begin = 0; begin < bytes; begin += Slot::bytes) {
    const Index count = std::min(Slot::bytes, bytes - begin);
    const Slot& slot = state_->slot();
    fill(slot.memory, begin, count);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + begin, slot.memory,
                          static_cast<std::size_t>(count), cudaMemcpyHostToDevice, state_->stream));
    check(cudaEventRecord(slot.done, state_->stream));
  }
}

void Device::download(const void* from, Index bytes, const Take& take) {
  check_alive();
  state_->expect_no_recording("a download");
  for (Index begin = 0; begin < bytes; begin += Slot::bytes) {
    const Index count = std::min(Slot::bytes, bytes - begin);
    const Slot& slot = state_->slot();
    check(cudaMemcpyAsync(slot.memory, static_cast<const std::byte*>(from) + begin,
                          static_cast<std::size_t>(count), cudaMemcpyDeviceToHost, state_->stream));
    check(cudaEventRecord(slot.done, state_->stream));
    check(cudaEventSynchronize(slot.done));
    take(slot.memory, begin, count);
  }
}

void Device::set(void* memory, int byte, std::size_t bytes) {
  check_alive();
  check(cudaMemsetAsync(memory, byte, bytes, state_->stream));
}

void Device::wait(const std::source_location& where) {
  check_alive();
  state_->expect_no_recording("a wait");
  check(cudaStreamSynchronize(state_->stream), where);
}

bool Device::recording() const { return state_->recording; }

Graph Device::record(const std::function<void()>& body) {
  check_alive();
  State& state = *state_;
  const cudaError_t begun = cudaStreamBeginCapture(state.stream, cudaStreamCaptureModeRelaxed);
  if (begun != cudaSuccess) {
    (void)cudaGetLastError();
    return nullptr;
  }
  state.recording = true;
  const auto end = [&]() -> cudaGraph_t {
    state.recording = false;
    cudaGraph_t graph = nullptr;  // stays null where something was queued that cannot be recorded
    if (cudaStreamEndCapture(state.stream, &graph) != cudaSuccess) (void)cudaGetLastError();
    return graph;
  };
  bool whole = true;
  try {
    body();
  } catch (const Error&) {
    whole = false;
  } catch (...) {
    if (cudaGraph_t graph = end(); graph != nullptr) (void)cudaGraphDestroy(graph);
    throw;
  }
  cudaGraph_t graph = end();
  check_alive();
  if (graph == nullptr) return nullptr;
  cudaGraphExec_t launches = nullptr;
  if (!whole || cudaGraphInstantiate(&launches, graph, 0) != cudaSuccess) {
    launches = nullptr;
    (void)cudaGetLastError();
  }
  (void)cudaGraphDestroy(graph);
  if (launches == nullptr) return nullptr;
  return {launches, [](cudaGraphExec_t owned) {
            if (!lost) (void)cudaGraphExecDestroy(owned);
          }};
}

void Device::launch(const Graph& graph) {
  check_alive();
  check(cudaGraphLaunch(graph.get(), state_->stream));
}

void check_launch(const std::source_location& where) { check(cudaGetLastError(), where); }

void check_alive() {
  if (lost) fail(Fault::resource, "cuda: no further work: a kernel has failed before");
}

}  // namespace stamp::cuda
