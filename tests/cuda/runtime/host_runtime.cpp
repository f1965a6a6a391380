// SPDX-License-Identifier: Apache-2.0
// The functions of the CUDA runtime that stamp::cuda's host code calls, by their own names.
#include <cstdlib>
#include <cstring>
#include <cuda/runtime/host_runtime.hpp>
#include <deque>
#include <memory>
#include <utility>

namespace {

struct Work {
  std::function<void()> run;
  float milliseconds = 0;
};

}  // namespace

struct CUgraph_st {
  std::vector<Work> works;
};
struct CUgraphExec_st {
  std::vector<Work> works;
};

struct CUstream_st {
  int device = stamp::test::current_device();
  std::deque<Work> waiting;
  std::ptrdiff_t queued = 0;
  std::ptrdiff_t done = 0;
  CUgraph_st* recorder = nullptr;
  bool recorded_whole = true;

  void run_until(std::ptrdiff_t count) {
    auto& runtime = stamp::test::host_runtime();
    while (done < count) {
      const Work work = std::move(waiting.front());
      waiting.pop_front();
      ++done;
      if (runtime.context != cudaSuccess) continue;  // nothing runs on a device that is lost
      if (work.run) work.run();
      runtime.clock += work.milliseconds;
    }
  }
};

/// Work that is under way may still write to an event that was given back.
struct CUevent_st {
  CUstream_st* stream = nullptr;
  std::ptrdiff_t place = 0;
  std::shared_ptr<float> time = std::make_shared<float>(0.0F);
};

namespace stamp::test {

HostRuntime& host_runtime() {
  static HostRuntime runtime;
  return runtime;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

void reset(HostRuntime& runtime) {
  static_cast<HostMachine&>(runtime) = {};
  runtime.calls.clear();
  runtime.devices_of.clear();
  current_device() = 0;
  runtime.refusals.clear();
  runtime.launches = runtime.failing_launch = 0;
  runtime.last = cudaSuccess;
}

cudaError_t HostRuntime::begin(const std::string& name) {
  count(name);
  if (context != cudaSuccess) {
    fault_told = true;
    return last = context;
  }
  const auto found = refusals.find(name);
  if (found == refusals.end() || found->second.later-- > 0) return cudaSuccess;
  last = found->second.status;
  refusals.erase(found);
  return last;
}

cudaError_t queue(cudaStream_t stream, std::function<void()> work, float milliseconds) {
  if (current_device() != stream->device) {
    return host_runtime().last = cudaErrorInvalidResourceHandle;
  }
  Work next{std::move(work), milliseconds};
  if (stream->recorder != nullptr) {
    stream->recorder->works.push_back(std::move(next));
  } else {
    stream->waiting.push_back(std::move(next));
    ++stream->queued;
    if (!host_runtime().late) stream->run_until(stream->queued);
  }
  return cudaSuccess;
}

}  // namespace stamp::test

namespace {

using stamp::test::host_runtime;
using stamp::test::HostRuntime;
using stamp::test::queue;

/// One call: counted, refused where it is to be, else done.
template <class Do>
cudaError_t call(const char* name, const Do& go_on) {
  HostRuntime& runtime = host_runtime();
  const std::lock_guard lock(runtime.alone);
  cudaError_t status = runtime.begin(name);
  if (status == cudaSuccess) status = go_on(runtime);
  if (status != cudaSuccess) runtime.last = status;
  if (runtime.context != cudaSuccess && status == runtime.context) runtime.fault_told = true;
  return status;
}

/// Waits in vain inside a recording, which it spoils.
cudaError_t wait(CUstream_st* stream, std::ptrdiff_t place) {
  if (stream->recorder != nullptr) {
    stream->recorded_whole = false;
    return cudaErrorStreamCaptureUnsupported;
  }
  stream->run_until(place);
  return host_runtime().context;
}

void run_everything(HostRuntime& runtime) {
  for (CUstream_st* stream : runtime.streams) stream->run_until(stream->queued);
}

}  // namespace

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  const std::lock_guard lock(host_runtime().alone);
  *version = host_runtime().driver;
  host_runtime().count("cudaDriverGetVersion");
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  const std::lock_guard lock(host_runtime().alone);
  *version = CUDART_VERSION;
  host_runtime().count("cudaRuntimeGetVersion");
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  return call("cudaGetDeviceCount", [&](const HostRuntime& runtime) {
    if (runtime.driver / 1000 < CUDART_VERSION / 1000) return cudaErrorInsufficientDriver;
    if (runtime.devices == 0) return cudaErrorNoDevice;
    *count = runtime.devices;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", [&](const HostRuntime& runtime) {
    if (device < 0 || device >= runtime.devices) return cudaErrorInvalidDevice;
    stamp::test::current_device() = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  HostRuntime& runtime = host_runtime();
  const std::lock_guard lock(runtime.alone);
  // The thread knows it, whatever has become of the context.
  const cudaError_t context = std::exchange(runtime.context, cudaSuccess);
  const cudaError_t status = runtime.begin("cudaGetDevice");
  runtime.context = context;
  *device = stamp::test::current_device();
  return status;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  return call("cudaGetDeviceProperties", [&](const HostRuntime& runtime) {
    *properties = {};
    std::strcpy(properties->name, "Host");
    properties->major = 9;
    properties->multiProcessorCount = 132;
    properties->totalGlobalMem = runtime.memory;
    properties->sharedMemPerBlockOptin = std::size_t{227} << 10U;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* /*attributes*/, const void* /*kernel*/) {
  return call("cudaFuncGetAttributes", [](const HostRuntime& runtime) {
    return runtime.has_code ? cudaSuccess : cudaErrorNoKernelImageForDevice;
  });
}

cudaError_t cudaGetLastError() {
  HostRuntime& runtime = host_runtime();
  const std::lock_guard lock(runtime.alone);
  if (const cudaError_t status = runtime.begin("cudaGetLastError"); status != cudaSuccess) {
    return status;
  }
  return std::exchange(runtime.last, cudaSuccess);
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorSystemNotReady:
      return "system not yet initialized";
    case cudaErrorUnknown:
      return "unknown error";
    default:
      return "an error";
  }
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  return call("cudaMalloc", [&](HostRuntime& runtime) {
    if (runtime.held() + bytes > runtime.memory) return cudaErrorMemoryAllocation;
    *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(*memory, 0xff, bytes);  // nothing may count on what it holds
    runtime.blocks[*memory] = bytes;
    ++runtime.live["block"];
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* memory) {
  return call("cudaFree", [&](HostRuntime& runtime) {
    run_everything(runtime);
    if (runtime.context != cudaSuccess) return runtime.context;
    if (runtime.blocks.erase(memory) == 0) return cudaErrorInvalidValue;
    std::free(memory);
    --runtime.live["block"];
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return call("cudaMemGetInfo", [&](const HostRuntime& runtime) {
    *total = runtime.memory;
    *free = runtime.memory - runtime.held();
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  return call("cudaMallocHost", [&](HostRuntime& runtime) {
    *memory = std::malloc(bytes);
    ++runtime.live["pinned"];
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* memory) {
  return call("cudaFreeHost", [&](HostRuntime& runtime) {
    std::free(memory);
    --runtime.live["pinned"];
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  return call("cudaMemcpyAsync", [&](const HostRuntime&) {
    return queue(stream, [=] { std::memcpy(to, from, bytes); });
  });
}

cudaError_t cudaMemsetAsync(void* memory, int byte, std::size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [&](const HostRuntime&) {
    return queue(stream, [=] { std::memset(memory, byte, bytes); });
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  return call("cudaStreamCreateWithFlags", [&](HostRuntime& runtime) {
    *stream = new CUstream_st;
    runtime.streams.push_back(*stream);
    ++runtime.live["stream"];
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", [&](HostRuntime& runtime) {
    stream->run_until(stream->queued);
    std::erase(runtime.streams, stream);
    delete stream;
    --runtime.live["stream"];
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call("cudaStreamSynchronize",
              [&](const HostRuntime&) { return wait(stream, stream->queued); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  return call("cudaEventCreateWithFlags", [&](HostRuntime& runtime) {
    *event = new CUevent_st;
    ++runtime.live["event"];
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", [&](HostRuntime& runtime) {
    delete event;
    --runtime.live["event"];
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", [&](HostRuntime& runtime) {
    const auto time = event->time;
    const cudaError_t status = queue(stream, [time, &runtime] { *time = runtime.clock; });
    event->stream = stream;
    event->place = stream->queued;
    return status;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call("cudaEventSynchronize", [&](const HostRuntime&) {
    return event->stream == nullptr ? cudaSuccess : wait(event->stream, event->place);
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return call("cudaEventElapsedTime", [&](const HostRuntime&) {
    for (const cudaEvent_t event : {start, end}) {
      if (event->stream == nullptr) return cudaErrorInvalidResourceHandle;
      if (event->stream->done < event->place) return cudaErrorNotReady;
    }
    *milliseconds = *end->time - *start->time;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  return call("cudaStreamBeginCapture", [&](HostRuntime& runtime) {
    stream->recorder = new CUgraph_st;
    stream->recorded_whole = true;
    ++runtime.live["graph"];
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  HostRuntime& runtime = host_runtime();
  const std::lock_guard lock(runtime.alone);
  // A refusal ends the recording, too.
  CUgraph_st* const recorded = std::exchange(stream->recorder, nullptr);
  cudaError_t status = runtime.begin("cudaStreamEndCapture");
  if (status == cudaSuccess && !stream->recorded_whole) {
    status = runtime.last = cudaErrorStreamCaptureInvalidated;
  }
  if (status == cudaSuccess) {
    *graph = recorded;
  } else {
    *graph = nullptr;
    delete recorded;
    --runtime.live["graph"];
  }
  return status;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* launches, cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
  return call("cudaGraphInstantiate", [&](HostRuntime& runtime) {
    if (!runtime.graphs_fit) return cudaErrorMemoryAllocation;
    *launches = new CUgraphExec_st{graph->works};
    ++runtime.live["launches"];
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call("cudaGraphDestroy", [&](HostRuntime& runtime) {
    delete graph;
    --runtime.live["graph"];
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t launches) {
  return call("cudaGraphExecDestroy", [&](HostRuntime& runtime) {
    delete launches;
    --runtime.live["launches"];
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t launches, cudaStream_t stream) {
  return call("cudaGraphLaunch", [&](const HostRuntime&) {
    for (const Work& work : launches->works) (void)queue(stream, work.run, work.milliseconds);
    return cudaSuccess;
  });
}

// What nvcc's code calls before main() to name its kernels (host_launches.cpp launches them).
void** __cudaRegisterFatBinary(void* /*code*/) { return nullptr; }
void __cudaRegisterFatBinaryEnd(void** /*handle*/) {}
void __cudaUnregisterFatBinary(void** /*handle*/) {}

}  // extern "C"
