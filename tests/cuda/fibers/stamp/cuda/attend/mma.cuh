// SPDX-License-Identifier: Apache-2.0
// The instructions of cuda/attend/mma.cuh on the host: each lane computes its part of the result
// from the registers of the whole warp, placed as NVIDIA's PTX manual draws them.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <deque>
#include <fibers/fibers.hpp>
#include <map>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda::mma {

using test::fibers::Block;

[[nodiscard]] inline float half_of(std::uint64_t word, int which) {
  bfloat16 number;
  number.bits = static_cast<std::uint16_t>(word >> (16 * which));
  return widen(number);
}

inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                         std::uint32_t b1) {
  Block& block = *Block::current_block;
  const int lane = static_cast<int>(block.thread() % 32);
  block.exchange({a[0], a[1], a[2], a[3], b0, b1}, [&](const Block::Words* words) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8;
      const int column = lane % 4 * 2 + i % 2;
      for (int k = 0; k < 16; ++k) {
        // A: row g or g + 8, columns 2t, 2t + 1 and 8 further; B: the same with rows and columns
        // swapped
        const auto& left = words[row % 8 * 4 + k % 8 / 2];
        const auto& right = words[column * 4 + k % 8 / 2];
        c[i] += half_of(left[static_cast<std::size_t>(row / 8 + k / 8 * 2)], k % 2) *
                half_of(right[static_cast<std::size_t>(4 + k / 8)], k % 2);
      }
    }
  });
}

namespace detail {
inline void load_four(std::uint32_t (&to)[4], const void* row, bool transposed) {
  Block& block = *Block::current_block;
  const int lane = static_cast<int>(block.thread() % 32);
  const int g = lane / 4;
  const int t = lane % 4;
  block.exchange({reinterpret_cast<std::uintptr_t>(row)}, [&](const Block::Words* words) {
    const auto element = [&](int matrix, int r, int column) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, reinterpret_cast<const std::byte*>(words[matrix * 8 + r][0]) + column * 2,
                  2);
      return static_cast<std::uint32_t>(bits);
    };
    for (int matrix = 0; matrix < 4; ++matrix) {
      to[matrix] = transposed ? element(matrix, 2 * t, g) | element(matrix, 2 * t + 1, g) << 16U
                              : element(matrix, g, 2 * t) | element(matrix, g, 2 * t + 1) << 16U;
    }
  });
}
}  // namespace detail

inline void load_four(std::uint32_t (&to)[4], const void* row) {
  detail::load_four(to, row, false);
}
inline void load_four_transposed(std::uint32_t (&to)[4], const void* row) {
  detail::load_four(to, row, true);
}

/// Copies happen as late as they may: when somebody waits for their group.
struct Copies {
  struct Copy {
    void* to;
    std::array<std::byte, 16> bytes;
  };
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
};
inline std::map<unsigned, Copies> copies;  // of each thread of the block that runs

inline void copy_async(void* to, const void* from, bool there) {
  Copies::Copy copy{to, {}};
  if (there) std::memcpy(copy.bytes.data(), from, 16);
  copies[Block::current_block->thread()].open.push_back(copy);
}
inline void commit_copies() {
  Copies& mine = copies[Block::current_block->thread()];
  mine.groups.push_back(std::move(mine.open));
  mine.open.clear();
}
template <int pending>
void wait_for_copies() {
  Copies& mine = copies[Block::current_block->thread()];
  while (mine.groups.size() > pending) {
    for (const Copies::Copy& copy : mine.groups.front())
      std::memcpy(copy.to, copy.bytes.data(), 16);
    mine.groups.pop_front();
  }
}

[[nodiscard]] inline std::uint32_t pack_two(float low, float high) {
  return bfloat16(low).bits | static_cast<std::uint32_t>(bfloat16(high).bits) << 16U;
}

[[nodiscard]] inline float power_of_two(float x) {
  const float y = std::exp2(x);
  return y < FLT_MIN ? 0 : y;
}

}  // namespace stamp::cuda::mma
