// SPDX-License-Identifier: Apache-2.0
// Device memory that lives until its owner drops it: weights, vectors, key/value caches.
#pragma once

#include <memory>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/weights.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/view.hpp>
#include <utility>

namespace stamp::cuda {

/// Bytes from a device's pool; keeps the device alive. Movable, not copyable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<Device> device, Index bytes)
      : device_(std::move(device)), bytes_(device_->allocate(static_cast<std::size_t>(bytes))) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : device_(std::move(other.device_)), bytes_(std::exchange(other.bytes_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer() {
    if (bytes_ != nullptr) device_->release(bytes_);
  }

  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(bytes_);
  }

 private:
  std::shared_ptr<Device> device_;
  std::byte* bytes_ = nullptr;
};

/// Dense, row-major tensor of shape (Axes...) in device memory, not initialised.
template <class T, Axis... Axes>
class Kept {
 public:
  Kept() = default;
  explicit Kept(const std::shared_ptr<Device>& device, Axes... axes)
      : buffer_(device, bytes_of(axes...)), axes_(axes...) {}

  [[nodiscard]] View<T, Axes...> view() {
    return std::apply([&](auto... axes) { return View<T, Axes...>(buffer_.as<T>(), axes...); },
                      axes_);
  }
  [[nodiscard]] View<const T, Axes...> view() const {
    return std::apply(
        [&](auto... axes) { return View<const T, Axes...>(buffer_.as<const T>(), axes...); },
        axes_);
  }

 private:
  static Index bytes_of(Axes... axes) {
    auto bytes = static_cast<Index>(sizeof(T));
    ((bytes = checked_multiply(bytes, axes.size, "cuda::Kept")), ...);
    return bytes;
  }

  Buffer buffer_;
  std::tuple<Axes...> axes_{Axes{0}...};
};

/// A weight that multiplies: [Out, In] dense, in the engine's element type or in codes.
template <class T, Axis Out, Axis In>
struct Matrix {
  Buffer bytes;
  Out out{0};
  In in{0};
  Weights kept = Weights::full;
  Buffer scales;  ///< of codes: float32 [Out]

  /// The numbers. Error{usage} where they are of another type.
  template <class W>
  [[nodiscard]] const W* numbers() const {
    if (kept != kept_as<W>) {
      fail(Fault::usage, "cuda: matrix: expected weights in " + std::string(name_of(kept_as<W>)) +
                             ", found " + std::string(name_of(kept)));
    }
    return bytes.as<const W>();
  }
};

/// use.operator()<W>() with the type of the numbers that a matrix is kept in.
template <class T, class Use>
void with_kept(Weights kept, const Use& use) {
  if constexpr (std::same_as<T, bfloat16>) {
    if (kept == Weights::int8) return use.template operator()<std::int8_t>();
    if (kept == Weights::fp8) return use.template operator()<float8_e4m3>();
  }
  use.template operator()<T>();
}

}  // namespace stamp::cuda
