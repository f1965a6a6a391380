// SPDX-License-Identifier: Apache-2.0
// stamp::cuda's device made of host memory: cuda::Engine as it stands, over kernels that are walked
// on the host. It records launches with their arguments, as a CUDA graph does, and keeps count.
// One program includes this and does not link stamp::cuda: a kernel that is missing here is an
// error of the linker.
#pragma once

#include <cstring>
#include <cuda/replay/host_kernels.hpp>
#include <functional>
#include <map>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/pool.hpp>
#include <vector>

/// A graph is launches with the arguments that they had.
struct CUgraphExec_st {
  std::vector<std::function<void()>> launches;
  stamp::Index kernels = 0;  ///< of the launches; the others set memory
};

namespace stamp::test {

/// What the device does with recordings, and what it was asked for since the last reset.
struct HostDevice {
  enum class Recording { works, never_begins, is_refused };
  Recording recording = Recording::works;
  Index spoiled = -1;   ///< the number of a download that brings one bit wrong
  Index kernels = 0;    ///< launched one by one
  Index uploads = 0;    ///< copies to the device
  Index downloads = 0;  ///< copies to the host, each of which waits
  Index waits = 0;      ///< for nothing but the work that was queued
  Index recorded = 0;   ///< graphs
  Index replayed = 0;   ///< launches of graphs
  Index in_graphs = 0;  ///< kernels that those ran
  Index by_hopper = 0;  ///< calls of attention that went to its kernel, recorded ones once

  CUgraphExec_st* recorder = nullptr;  ///< where launches go while a step is recorded

  template <class Kernel>
  void queue(const Kernel& kernel) {
    if (recorder != nullptr) {
      recorder->launches.emplace_back(kernel);
      ++recorder->kernels;
      return;
    }
    ++kernels;
    kernel();
  }
  void expect_no_recording(const char* what) const {
    if (recorder != nullptr) fail(Fault::usage, std::string("recorded: ") + what);
  }
};

/// The only one.
[[nodiscard]] inline HostDevice& host_device() {
  static HostDevice device;
  return device;
}

template <class Kernel>
void launch(cuda::Stream, const Kernel& kernel) {
  host_device().queue(kernel);
}

}  // namespace stamp::test

namespace stamp::cuda {

struct Device::State {
  DeviceFacts facts{"host", 9, 0, 132, std::size_t{1} << 32U, std::size_t{227} << 10U};
  std::shared_ptr<void> products;
  /// Addresses that nobody reads: what goes round would hide who reads memory that was given back.
  struct Addresses {
    std::uintptr_t last = 0;
    void* allocate(std::size_t bytes) { return reinterpret_cast<void*>(last += bytes); }
    void release(void*) noexcept {}
  };
  Pool<Addresses> pool{Addresses{}};  ///< as the device's: counts what the driver would be asked
  struct Block {
    std::size_t size;
    void* pooled;
  };
  std::map<std::byte*, Block> blocks;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;
  ~State() {
    for (const auto& [memory, block] : blocks) ::operator delete[](memory, std::align_val_t{256});
  }
};

inline Device::Device(int) : state_(std::make_unique<State>()) {}
inline Device::~Device() = default;
inline const DeviceFacts& Device::facts() const { return state_->facts; }
inline Stream Device::stream() const { return {}; }
inline void Device::overlap_kernels(bool) {}  // walked kernels come one after another
inline std::size_t Device::requests() const { return state_->pool.requests(); }
inline std::shared_ptr<void>& Device::products() { return state_->products; }

/// Filled with NaN: nothing may count on what it holds.
inline std::byte* Device::allocate(std::size_t bytes) {
  auto* const memory = static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{256}));
  std::memset(memory, 0xff, bytes);
  state_->blocks[memory] = {bytes, state_->pool.allocate(bytes)};
  return memory;
}
/// Nobody gets it again, and who still reads it finds NaN.
inline void Device::release(void* memory) noexcept {
  const State::Block& block = state_->blocks.at(static_cast<std::byte*>(memory));
  std::memset(memory, 0xff, block.size);
  state_->pool.release(block.pooled);
}
inline void Device::upload(void* to, Index bytes, const Fill& fill) {
  test::host_device().expect_no_recording("an upload");
  ++test::host_device().uploads;
  fill(static_cast<std::byte*>(to), 0, bytes);
}
inline void Device::send_uploads() const {}  // they are copied at once
inline void Device::download(const void* from, Index bytes, const Take& take) {
  test::host_device().expect_no_recording("a download");
  const auto* const numbers = static_cast<const std::byte*>(from);
  auto& device = test::host_device();
  if (device.downloads++ != device.spoiled) return take(numbers, 0, bytes);
  std::vector<std::byte> wrong(numbers, numbers + bytes);
  wrong.front() ^= std::byte{1};
  take(wrong.data(), 0, bytes);
}
inline void Device::set(void* memory, int byte, std::size_t bytes) {
  const auto fill = [=] { std::memset(memory, byte, bytes); };
  if (auto* const recorder = test::host_device().recorder; recorder != nullptr) {
    recorder->launches.emplace_back(fill);
  } else {
    fill();
  }
}
inline void Device::poison(void* memory, std::size_t bytes) noexcept { set(memory, 0xff, bytes); }
inline void Device::wait(const std::source_location&) {
  test::host_device().expect_no_recording("a wait");
  ++test::host_device().waits;
}

inline Graph Device::record(const std::function<void()>& body) {
  using enum test::HostDevice::Recording;
  auto& device = test::host_device();
  if (device.recording == never_begins) return nullptr;
  auto graph = std::make_shared<CUgraphExec_st>();
  device.recorder = graph.get();
  try {
    body();
  } catch (const Error&) {
    graph = nullptr;
  }
  device.recorder = nullptr;
  if (device.recording == is_refused) return nullptr;
  if (graph) ++device.recorded;
  return graph;
}
inline bool Device::recording() const { return test::host_device().recorder != nullptr; }
inline void Device::launch(const Graph& graph) {
  ++test::host_device().replayed;
  test::host_device().in_graphs += graph->kernels;
  for (const auto& kernel : graph->launches) kernel();
}

inline std::string missing_device() { return {}; }
inline void check_launch(const std::source_location&) {}
inline void check_alive() {}
inline Attention attention_here(Attention wanted) { return wanted; }

/// The library's part is the plain kernel's.
template <DeviceElement T>
void multiply(Device& device, const Product<T>& product) {
  if (is_skinny(product.y.rows, product.y.columns)) {
    kernel::skinny_products<T>(device.stream(), {product, {}, {}});
  } else {
    kernel::plain_product<T>(device.stream(), product);
  }
}

namespace kernel {

inline void attend_hopper(Stream, const AttendCall<bfloat16>& call, const AttendParts& parts) {
  ++test::host_device().by_hopper;
  test::host_device().queue([=] { walked::attend_hopper(call, parts); });
}
}  // namespace kernel

}  // namespace stamp::cuda
