// SPDX-License-Identifier: Apache-2.0
// The host's side of the CUDA runtime: errors, streams, memory, pinned staging.
#include <cuda_runtime.h>

#include <array>
#include <atomic>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/faults.hpp>
#include <stamp/cuda/pool.hpp>
#include <stamp/cuda/probe.hpp>
#include <stamp/cuda/status.hpp>
#include <utility>

namespace stamp::cuda {

namespace {

/// Set by the first kernel fault of the process: its context is lost for good.
std::atomic<bool> lost{false};

constexpr const char* no_further_work = "cuda: no further work: a kernel has failed before";

// Errors that have names in later toolkits than the first that can build this.
constexpr int error_contained = 226;
constexpr int error_tensor_memory_leak = 721;

/// Errors after which the driver accepts no more work from this process. All but three are those of
/// which the runtime's manual says that the process must be started again; of an uncorrectable
/// error of memory or NVLink, and of a destroyed context, it does not say so, but nothing that was
/// computed or is held can be trusted after them. cudaErrorUnknown is not among them: it may well
/// be one call's alone, and where it is not every later call fails on its own.
[[nodiscard]] bool is_fault(cudaError_t status) {
  switch (static_cast<int>(status)) {
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
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case error_contained:
    case error_tensor_memory_leak:
      return true;
    default:
      return false;
  }
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
    if (!lost) succeeded(cudaFree(memory));  // waits for the device
  }
};

/// A piece of pinned memory and when the device is done with it.
struct Slot {
  static constexpr Index bytes = Index{4} << 20U;
  std::byte* memory = nullptr;
  cudaEvent_t done = nullptr;
};

/// Small uploads that wait in a slot for what may follow them.
struct Waiting {
  static constexpr Index largest = Index{64} << 10U;  ///< of a piece, and of all
  const Slot* slot = nullptr;
  std::byte* to = nullptr;
  Index bytes = 0;

  /// Whether a piece follows directly; what starts aligned stays so in the slot.
  [[nodiscard]] bool takes(const void* next, Index count) const {
    return slot != nullptr && next == to + bytes && bytes + count <= largest &&
           reinterpret_cast<std::uintptr_t>(to) % 256 == 0;
  }
};

}  // namespace

void check(cudaError_t status, const std::source_location& where) {
  if (status == cudaSuccess) return;
  if (is_fault(status)) {
    lost = true;
    fail(Fault::resource, kernel_fault(cudaGetErrorString(status), place(where)));
  }
  (void)cudaGetLastError();  // an error that is not sticky is reported once
  if (status == cudaErrorMemoryAllocation) {
    fail_out_of_memory("memory for the call at " + place(where));
  }
  fail(Fault::resource, call_failed(cudaGetErrorString(status), place(where)));
}

bool succeeded(cudaError_t status) noexcept {
  if (is_fault(status)) {
    lost = true;
  } else if (status != cudaSuccess) {
    (void)cudaGetLastError();
  }
  return status == cudaSuccess;
}

struct Device::State {
  DeviceFacts facts;
  cudaStream_t stream = nullptr;
  Pool<DeviceMemory> pool{DeviceMemory{}};
  std::array<Slot, 4> slots{};
  std::size_t next = 0;
  Waiting waiting;
  std::shared_ptr<void> products;
  bool recording = false;
  bool can_overlap = false;
  bool overlaps = false;

  explicit State(int ordinal) { facts.ordinal = ordinal; }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;
  ~State() {
    if (!lost) succeeded(select());
    if (!lost && stream != nullptr) succeeded(cudaStreamSynchronize(stream));
    products.reset();
    for (const Slot& slot : slots) {
      if (!lost && slot.done != nullptr) succeeded(cudaEventDestroy(slot.done));
      if (!lost && slot.memory != nullptr) succeeded(cudaFreeHost(slot.memory));
    }
    if (!lost && stream != nullptr) succeeded(cudaStreamDestroy(stream));
  }

  /// Makes this the calling thread's device, of which the runtime is asked from then on. Threads
  /// begin with the first one, and others may have chosen another.
  [[nodiscard]] cudaError_t select() const noexcept {
    int current = -1;
    const cudaError_t status = cudaGetDevice(&current);
    if (status != cudaSuccess || current == facts.ordinal) return status;
    return cudaSetDevice(facts.ordinal);
  }
  /// What every member begins with that asks the runtime for something.
  void enter(const std::source_location& where = std::source_location::current()) const {
    check_alive();
    check(select(), where);
  }

  /// A recording would repeat the copy with whatever the pinned memory holds then.
  void expect_no_recording(const char* what) const {
    if (recording) {
      fail(Fault::usage,
           std::string("cuda: expected launches alone in a recorded step, found ") + what);
    }
  }

  /// One try of Device::record.
  [[nodiscard]] Graph record_once(const std::function<void()>& body);

  /// The next slot, when what was in it has been copied.
  Slot& slot() {
    Slot& taken = slots[next];
    next = (next + 1) % slots.size();
    if (taken.done == nullptr) {
      check(cudaEventCreateWithFlags(&taken.done, cudaEventDisableTiming));
    } else {
      check(cudaEventSynchronize(taken.done));
    }
    if (taken.memory == nullptr) {
      constexpr auto needed = static_cast<std::size_t>(Slot::bytes);
      void* memory = nullptr;
      const cudaError_t status = cudaMallocHost(&memory, needed);
      if (status == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        fail(Fault::resource, out_of_pinned_memory(needed));
      }
      check(status);
      taken.memory = static_cast<std::byte*>(memory);
    }
    return taken;
  }
};

std::string missing_device() {
  if (lost) return no_further_work;
  int driver = 0;
  int runtime = 0;
  int devices = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  const cudaError_t counted = cudaGetDeviceCount(&devices);
  if (counted == cudaSuccess) return why_no_device(driver, runtime, devices);
  (void)cudaGetLastError();
  return why_no_device(driver, runtime, 0,
                       counted == cudaErrorNoDevice ? "" : cudaGetErrorString(counted));
}

Device::Device(int ordinal) {
  check_alive();
  const std::string missing = missing_device();
  if (!missing.empty()) fail(Fault::resource, missing);
  check(cudaSetDevice(ordinal));
  state_ = std::make_unique<State>(ordinal);
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, ordinal));
  state_->facts = {properties.name,
                   properties.major,
                   properties.minor,
                   properties.multiProcessorCount,
                   properties.totalGlobalMem,
                   properties.sharedMemPerBlockOptin,
                   ordinal};
  if (!has_code_for_this_device()) {
    const cudaError_t reason = cudaGetLastError();
    if (is_fault(reason) || reason == cudaErrorMemoryAllocation) check(reason);
    fail(Fault::resource,
         no_code_for(properties.name, properties.major, properties.minor, STAMP_CUDA_BUILT_FOR));
  }
  state_->overlaps = state_->can_overlap = properties.major >= 9 && has_code_that_overlaps();
  check(cudaStreamCreateWithFlags(&state_->stream, cudaStreamNonBlocking));
}

Device::~Device() = default;

const DeviceFacts& Device::facts() const { return state_->facts; }
Stream Device::stream() const {
  state_->enter();
  return {state_->stream, state_->overlaps, state_->facts.multiprocessors, this};
}
void Device::send_uploads() const {
  const auto [slot, to, bytes] = std::exchange(state_->waiting, {});
  if (slot == nullptr || lost) return;
  check(state_->select());
  check(cudaMemcpyAsync(to, slot->memory, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice,
                        state_->stream));
  check(cudaEventRecord(slot->done, state_->stream));
}
void Device::overlap_kernels(bool on) { state_->overlaps = on && state_->can_overlap; }
std::size_t Device::requests() const { return state_->pool.requests(); }
std::shared_ptr<void>& Device::products() {
  state_->enter();
  return state_->products;
}

std::byte* Device::allocate(std::size_t bytes) {
  state_->enter();
  send_uploads();  // what they go to may have been released, and be given back to the driver now
  void* const memory = state_->pool.allocate(bytes);
  if (memory == nullptr) fail_out_of_memory(mebibytes(Pool<DeviceMemory>::rounded(bytes)));
  return static_cast<std::byte*>(memory);
}

void Device::release(void* memory) noexcept { state_->pool.release(memory); }

void Device::upload(void* to, Index bytes, const Fill& fill) {
  state_->enter();
  state_->expect_no_recording("an upload");
  Waiting& waiting = state_->waiting;
  if (waiting.takes(to, bytes)) {
    fill(waiting.slot->memory + waiting.bytes, 0, bytes);
    waiting.bytes += bytes;
    return;
  }
  send_uploads();
  for (Index begin = 0; begin < bytes; begin += Slot::bytes) {
    const Index count = std::min(Slot::bytes, bytes - begin);
    const Slot& slot = state_->slot();
    fill(slot.memory, begin, count);
    waiting = {&slot, static_cast<std::byte*>(to) + begin, count};
    if (bytes > Waiting::largest) send_uploads();
  }
}

void Device::download(const void* from, Index bytes, const Take& take) {
  state_->enter();
  state_->expect_no_recording("a download");
  send_uploads();
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
  state_->enter();
  send_uploads();
  check(cudaMemsetAsync(memory, byte, bytes, state_->stream));
}

void Device::poison(void* memory, std::size_t bytes) noexcept {
  constexpr int not_a_number = 0xff;  // in every byte it is one of every element type
  if (lost || !succeeded(state_->select())) return;
  succeeded(cudaMemsetAsync(memory, not_a_number, bytes, state_->stream));
}

void Device::wait(const std::source_location& where) {
  state_->enter(where);
  state_->expect_no_recording("a wait");
  send_uploads();
  check(cudaStreamSynchronize(state_->stream), where);
}

bool Device::recording() const { return state_->recording; }

Graph Device::State::record_once(const std::function<void()>& body) {
  if (!succeeded(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed))) {
    check_alive();
    return nullptr;
  }
  recording = true;
  const auto end = [&]() -> cudaGraph_t {
    recording = false;
    cudaGraph_t graph = nullptr;  // stays null where something was queued that cannot be recorded
    if (!lost) succeeded(cudaStreamEndCapture(stream, &graph));
    return graph;
  };
  const auto destroy = [](cudaGraph_t graph) {
    if (!lost && graph != nullptr) succeeded(cudaGraphDestroy(graph));
  };
  bool whole = true;
  try {
    body();
  } catch (const Error&) {
    whole = false;
    if (lost) {
      end();
      throw;  // it says which kernel failed; no plain run will
    }
  } catch (...) {
    destroy(end());
    throw;
  }
  cudaGraph_t graph = end();
  cudaGraphExec_t launches = nullptr;
  cudaError_t status = cudaSuccess;
  if (!lost && whole && graph != nullptr) {
    status = cudaGraphInstantiate(&launches, graph, 0);
    if (status == cudaErrorMemoryAllocation) {
      pool.trim();
      (void)cudaGetLastError();
      status = lost ? cudaSuccess : cudaGraphInstantiate(&launches, graph, 0);
    }
    if (!succeeded(status)) launches = nullptr;
  }
  destroy(graph);
  check_alive();
  if (status == cudaErrorMemoryAllocation) fail_out_of_memory("memory for a graph");
  if (launches == nullptr) return nullptr;
  return {launches, [](cudaGraphExec_t owned) {
            if (!lost) succeeded(cudaGraphExecDestroy(owned));
          }};
}

Graph Device::record(const std::function<void()>& body) {
  state_->enter();
  send_uploads();
  Graph graph = state_->record_once(body);
  if (graph != nullptr || !state_->overlaps) return graph;
  overlap_kernels(false);
  graph = state_->record_once(body);
  overlap_kernels(graph == nullptr);  // it was not their fault
  return graph;
}

void Device::launch(const Graph& graph) {
  state_->enter();
  send_uploads();
  check(cudaGraphLaunch(graph.get(), state_->stream));
}

void check_launch(const std::source_location& where) {
  check_alive();
  check(cudaGetLastError(), where);
}

bool alive() noexcept { return !lost; }

void check_alive() {
  if (lost) fail(Fault::resource, no_further_work);
}

void fail_out_of_memory(std::string_view needed) {
  check_alive();
  std::size_t free = 0;
  std::size_t total = 0;
  const cudaError_t status = cudaMemGetInfo(&free, &total);
  if (is_fault(status)) check(status);
  fail(Fault::resource,
       succeeded(status) ? out_of_memory(needed, free, total) : out_of_memory(needed));
}

}  // namespace stamp::cuda
