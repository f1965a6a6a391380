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

/// A block of a device's pool, or a place in one that others have places in, too: it goes back when
/// the last of them goes. Keeps the device alive. Movable, not copyable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const std::shared_ptr<Device>& device, Index bytes)
      : bytes_(device->allocate(static_cast<std::size_t>(bytes)),
               [device](std::byte* block) { device->release(block); }) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;
  ~Buffer() = default;

  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(bytes_.get());
  }

  /// The place `first` bytes further, which holds the block, too.
  [[nodiscard]] Buffer place(Index first) const {
    Buffer part;
    part.bytes_ = {bytes_, bytes_.get() + first};
    return part;
  }
  /// Whether this is the place in the block of `before` that is `bytes` further.
  [[nodiscard]] bool continues(const Buffer& before, Index bytes) const {
    const bool one_block = !bytes_.owner_before(before.bytes_) &&
                           !before.bytes_.owner_before(bytes_) && bytes_ != nullptr;
    return one_block && bytes_.get() == before.bytes_.get() + bytes;
  }

 private:
  std::shared_ptr<std::byte> bytes_;
};

/// Dense, row-major tensor of shape (Axes...) in device memory, not initialised.
template <class T, Axis... Axes>
class Kept {
 public:
  Kept() = default;
  explicit Kept(const std::shared_ptr<Device>& device, Axes... axes)
      : Kept(Buffer(device, bytes_of(axes...)), axes...) {}
  /// In memory that is there, as large as bytes_of says.
  explicit Kept(Buffer buffer, Axes... axes) : buffer_(std::move(buffer)), axes_(axes...) {}

  [[nodiscard]] View<T, Axes...> view() {
    return std::apply([&](auto... axes) { return View<T, Axes...>(buffer_.as<T>(), axes...); },
                      axes_);
  }
  [[nodiscard]] View<const T, Axes...> view() const {
    return std::apply(
        [&](auto... axes) { return View<const T, Axes...>(buffer_.as<const T>(), axes...); },
        axes_);
  }
  [[nodiscard]] const Buffer& buffer() const { return buffer_; }

  [[nodiscard]] static Index bytes_of(Axes... axes) {
    auto bytes = static_cast<Index>(sizeof(T));
    ((bytes = checked_multiply(bytes, axes.size, "cuda::Kept")), ...);
    return bytes;
  }

 private:
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

  /// Whether the outputs of this matrix lie behind those of `before`, kept alike: the two are one
  /// matrix [before.Out + Out, In].
  template <Axis Before>
  [[nodiscard]] bool continues(const Matrix<T, Before, In>& before) const {
    const auto row = in.size * static_cast<Index>(kept == Weights::full ? sizeof(T) : 1);
    return kept == before.kept && in.size == before.in.size &&
           bytes.continues(before.bytes, before.out.size * row) &&
           (kept == Weights::full ||
            scales.continues(before.scales, before.out.size * static_cast<Index>(sizeof(float))));
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
