// SPDX-License-Identifier: Apache-2.0
// The passes of a resize of bytes, and pictures put in the order of patches. Integers and a table:
// whatever computes this gives the same bits.
#pragma once

#include <stamp/cuda/block.cuh>
#include <stamp/cuda/cut_picture.hpp>

namespace stamp::cuda {

inline constexpr int picture_threads = 256;

struct PictureRegisters {};

/// A filter's output i over bytes that are `stride` apart.
[[nodiscard]] __host__ __device__ inline std::uint8_t filtered(const ByteFilter& filter, Index i,
                                                               const std::uint8_t* from,
                                                               Index stride) {
  const std::int32_t* const weights = filter.weights + i * filter.widest;
  const std::uint8_t* covered = from + filter.firsts[i] * stride;
  std::int32_t sum = 1 << (filter.bits - 1);
  for (std::int32_t j = 0; j < filter.sizes[i]; ++j, covered += stride) {
    sum += weights[j] * *covered;
  }
  sum >>= filter.bits;
  return static_cast<std::uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/// Blocks that share a row of `samples` bytes.
[[nodiscard]] constexpr Index picture_chunks(Index samples) {
  return (samples + picture_threads - 1) / picture_threads;
}

/// Block (row · chunks + chunk), a thread a byte.
///   for row, i, channel: to[row][i][channel] = filtered(from[row][…][channel])
template <class Block>
__host__ __device__ void resize_across_body(Block& block, std::uint8_t* to,
                                            const std::uint8_t* from, Index columns, Index outputs,
                                            const ByteFilter& filter) {
  const Index chunks = picture_chunks(outputs * 3);
  const Index row = block.x() / chunks;
  const Index first = block.x() % chunks * picture_threads;
  block.each([&](int thread, PictureRegisters&) {
    const Index at = first + thread;
    if (at >= outputs * 3) return;
    to[row * outputs * 3 + at] = filtered(filter, at / 3, from + row * columns * 3 + at % 3, 3);
  });
}

/// Block (output row · chunks + chunk), a thread a byte.
///   for i, sample: to[i][sample] = filtered(from[…][sample])
template <class Block>
__host__ __device__ void resize_down_body(Block& block, std::uint8_t* to, const std::uint8_t* from,
                                          Index samples, const ByteFilter& filter) {
  const Index chunks = picture_chunks(samples);
  const Index i = block.x() / chunks;
  const Index first = block.x() % chunks * picture_threads;
  block.each([&](int thread, PictureRegisters&) {
    const Index at = first + thread;
    if (at < samples) to[i * samples + at] = filtered(filter, i, from + at, samples);
  });
}

/// Block (patch).
///   for channel, row, column: level = levels[channel][pixel[row][column][channel]]
///     for frame: y[channel][frame][row][column] = level
template <Element T, class Block>
__host__ __device__ void cut_patches_body(Block& block, Erased<T> y, const std::uint8_t* pixels,
                                          const T* levels, const PatchOrder& order) {
  const Index group = order.merge * order.merge;
  const Index across = order.width / (order.side * order.merge);  // groups in a row of groups
  const Index at = block.x() / group;
  const Index inside = block.x() % group;
  const Index top = (at / across * order.merge + inside / order.merge) * order.side;
  const Index left = (at % across * order.merge + inside % order.merge) * order.side;
  const auto side = static_cast<int>(order.side);  // a division of 32 bits is far shorter
  const int area = side * side;
  const std::uint8_t* const corner = pixels + (top * order.width + left) * 3;
  T* const to = y.data + block.x() * y.stride;
  block.each([&](int thread, PictureRegisters&) {
    for (int place = thread; place < 3 * area; place += picture_threads) {
      const int channel = place / area;
      const int pixel = place % area;
      const Index offset = (pixel / side * order.width + pixel % side) * 3 + channel;
      const T level = levels[channel * 256 + corner[offset]];
      T* const plane = to + channel * order.frames * area + pixel;
      for (Index frame = 0; frame < order.frames; ++frame) plane[frame * area] = level;
    }
  });
}

}  // namespace stamp::cuda
