// SPDX-License-Identifier: Apache-2.0
// One GPU with one stream and one pool of memory. No header of CUDA is needed to include this.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <source_location>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>

struct CUstream_st;     // what the runtime's cudaStream_t points to
struct CUgraphExec_st;  // and its cudaGraphExec_t

namespace stamp::cuda {

class Device;

/// Where work is queued, and how kernels follow one another there.
struct Stream {
  CUstream_st* queue = nullptr;
  bool overlaps = false;  ///< a kernel may begin while the one before it ends (runtime.cuh)
  int multiprocessors = 1;
  const Device* device = nullptr;

  /// What the runtime takes, once the device's uploads are on their way: whatever is queued here
  /// comes behind them. NOLINTNEXTLINE(google-explicit-constructor)
  operator CUstream_st*() const;
};
/// Recorded launches, ready to run; null where there are none.
using Graph = std::shared_ptr<CUgraphExec_st>;

/// What the kernels' launch plans ask about a device.
struct DeviceFacts {
  std::string name;
  int major = 0;
  int minor = 0;
  int multiprocessors = 0;
  std::size_t memory = 0;        ///< bytes in all
  std::size_t block_shared = 0;  ///< most shared memory that one block can ask for
  int ordinal = 0;               ///< its number in this process
};

/// Every member throws Error{resource} when the device refuses. After a kernel fault each of them
/// throws at once and the device is not touched again. One thread at a time, whichever: members
/// that ask the device for something, `stream` before a launch among them, make it the calling
/// thread's current one and leave it so.
class Device {
 public:
  /// `ordinal`: which of the process's devices. Error{resource}: no such device, driver too old, or
  /// no machine code for the device's architecture.
  explicit Device(int ordinal = 0);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  Device(Device&&) = delete;
  Device& operator=(Device&&) = delete;
  ~Device();

  [[nodiscard]] const DeviceFacts& facts() const;
  /// For launches: throws, too, so that nothing is launched after a kernel fault.
  [[nodiscard]] Stream stream() const;
  /// Whether kernels may begin while those before them end. They may, where the device can (9.0 or
  /// later, machine code of it) and unless it is turned off; bits do not depend on it.
  void overlap_kernels(bool on);

  /// Device memory from the pool. Error{resource} says how much was needed and how much is free.
  [[nodiscard]] std::byte* allocate(std::size_t bytes);
  void release(void* memory) noexcept;
  /// How often the driver was asked for memory.
  [[nodiscard]] std::size_t requests() const;

  /// fill(chunk, begin, count) writes bytes [begin, begin + count) of what is copied to `to`,
  /// chunk by chunk into pinned memory while earlier chunks travel. Returns when the last one is
  /// filled; later work of the stream comes after it. Small pieces that follow one another in
  /// memory, as those of a step do, travel together: a copy takes the host longer than such a
  /// piece takes the bus.
  using Fill = std::function<void(std::byte*, Index, Index)>;
  void upload(void* to, Index bytes, const Fill& fill);
  /// Puts on its way what still waits for pieces that might follow it.
  void send_uploads() const;

  /// take(chunk, begin, count) reads bytes [begin, begin + count) of `from`; waits.
  using Take = std::function<void(const std::byte*, Index, Index)>;
  void download(const void* from, Index bytes, const Take& take);

  /// Sets bytes; queued.
  void set(void* memory, int byte, std::size_t bytes);
  /// Fills with NaN; queued. A device that fails says so at the next operation.
  void poison(void* memory, std::size_t bytes) noexcept;
  /// The launches that `body` queues, recorded instead of run. Null where they cannot be: the
  /// driver refuses, or body threw an Error, which it then throws again when it runs plainly. Where
  /// it refuses kernels that overlap, they do not from then on, and body is called again. While
  /// this records, `upload`, `download` and `wait` throw Error{usage}. Error{resource} where a
  /// kernel has failed, or where there is no memory left for what was recorded.
  [[nodiscard]] Graph record(const std::function<void()>& body);
  [[nodiscard]] bool recording() const;
  /// Queues recorded launches.
  void launch(const Graph& graph);

  /// Waits for the stream.
  void wait(const std::source_location& where = std::source_location::current());

  /// The product library's state, made on first use (matmul.cpp).
  [[nodiscard]] std::shared_ptr<void>& products();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

inline Stream::operator CUstream_st*() const {
  if (device != nullptr) device->send_uploads();
  return queue;
}

/// Why this machine cannot run the backend, as Device's constructor would say; empty if it can.
[[nodiscard]] std::string missing_device();

/// Checks that the kernel launched last was accepted. Error{resource}.
void check_launch(const std::source_location& where = std::source_location::current());

/// False once a kernel has failed: neither the runtime nor the product library is called any more,
/// not even to give back what they hold, because such a call may wait for ever.
[[nodiscard]] bool alive() noexcept;

/// Throws once a kernel has failed.
void check_alive();

/// Error{resource}: `needed` ("1536.0 MiB", "memory for a graph") and what is free.
[[noreturn]] void fail_out_of_memory(std::string_view needed);

}  // namespace stamp::cuda
