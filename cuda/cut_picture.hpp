// SPDX-License-Identifier: Apache-2.0
// From a picture's bytes to patches on the device: resized in integers, looked up, put in order.
// Three bytes a pixel travel, where pixel_values are eight numbers.
#pragma once

#include <cstring>
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/ops/picture.hpp>

namespace stamp::cuda {

/// FixedFilter on the device.
struct ByteFilter {
  const std::int32_t* firsts;
  const std::int32_t* sizes;
  const std::int32_t* weights;
  std::int32_t widest;
  int bits;
};

/// How a resized picture [height, width, 3] lies in patches.
struct PatchOrder {
  Index width;
  Index side;
  Index frames;
  Index merge;
};

namespace kernel {

/// to [rows, outputs, 3] from [rows, columns, 3]: each row through the filter.
void resize_across(Stream stream, std::uint8_t* to, const std::uint8_t* from, Index rows,
                   Index columns, Index outputs, const ByteFilter& filter);
/// to [outputs, samples] from [rows, samples]: each column through the filter.
void resize_down(Stream stream, std::uint8_t* to, const std::uint8_t* from, Index samples,
                 Index outputs, const ByteFilter& filter);
/// y [Patches, PatchLength] from pixels; levels [3, 256].
template <DeviceElement T>
void cut_patches(Stream stream, Erased<T> y, const std::uint8_t* pixels, const T* levels,
                 const PatchOrder& order);

}  // namespace kernel

namespace detail {

template <DeviceElement T>
[[nodiscard]] ByteFilter resident_filter(Engine<T>& engine, const FixedFilter& filter) {
  const auto numbers = [&](const std::vector<std::int32_t>& host) {
    const auto view = engine.template allocate<std::int32_t>(Pixels{std::ssize(host)});
    engine.upload(view, std::span<const std::int32_t>(host));
    return view.data();
  };
  return {numbers(filter.firsts), numbers(filter.sizes), numbers(filter.weights),
          static_cast<std::int32_t>(filter.widest), filter.bits};
}

}  // namespace detail

/// requirement::CutsPictures
template <DeviceElement T, Axis P, Axis L>
void cut_picture(Engine<T>& engine, View<T, P, L> y, std::span<const std::uint8_t> pixels,
                 const PictureCut& cut) {
  check_cut_picture(y, pixels, cut);
  const auto frame = engine.frame();
  const Stream stream = engine.device().stream();
  const auto bytes = [&](Index rows, Index columns) {
    return engine.template allocate<std::uint8_t>(Pixels{rows * columns * 3}).data();
  };
  std::uint8_t* picture = bytes(cut.height, cut.width);
  engine.device().upload(
      picture, std::ssize(pixels), [&](std::byte* chunk, Index begin, Index count) {
        std::memcpy(chunk, pixels.data() + begin, static_cast<std::size_t>(count));
      });
  const Index width = cut.resized_width();
  if (cut.across.outputs() > 0) {
    std::uint8_t* const to = bytes(cut.height, width);
    kernel::resize_across(stream, to, picture, cut.height, cut.width, width,
                          detail::resident_filter(engine, cut.across));
    picture = to;
  }
  if (cut.down.outputs() > 0) {
    std::uint8_t* const to = bytes(cut.resized_height(), width);
    kernel::resize_down(stream, to, picture, width * 3, cut.resized_height(),
                        detail::resident_filter(engine, cut.down));
    picture = to;
  }
  const auto levels = engine.template allocate<T>(Channels{3}, Offsets{256});
  engine.upload(levels, std::span<const float>(cut.levels.front().data(), std::size_t{3} * 256));
  kernel::cut_patches<T>(stream, erase(y), picture, levels.data(),
                         {width, cut.side, cut.frames, cut.merge});
}

}  // namespace stamp::cuda
