// SPDX-License-Identifier: Apache-2.0
// The kernels for AMX (Sapphire Rapids and later): products of bfloat16 and int8 words and the
// products inside attention run on matrix tiles, all else on AVX-512.
#pragma once

#include <array>
#include <stamp/cpu/simd/avx512.hpp>

#define STAMP_CPU_TARGET \
  "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,amx-tile,amx-bf16,amx-int8"
#include <stamp/cpu/simd/target_begin.inc>
namespace stamp::cpu::amx {

/// The tile registers of this thread.
struct Tiles {
  /// The 64 bytes that LDTILECFG reads (Intel SDM, volume 1, chapter 18).
  struct alignas(64) Shapes {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::array<std::uint8_t, 14> reserved{};
    std::array<std::uint16_t, 16> row_bytes{};
    std::array<std::uint8_t, 16> rows{};
  };
  static_assert(sizeof(Shapes) == 64);

  [[gnu::noinline]] static void configure(Index first, Index second, Index words) {
    Shapes shapes;
    const auto shape = [&](std::size_t tile, Index rows, Index columns) {
      shapes.rows[tile] = static_cast<std::uint8_t>(rows);
      shapes.row_bytes[tile] = static_cast<std::uint16_t>(rows == 0 ? 0 : 4 * columns);
    };
    shape(0, first, 16);
    shape(1, first, 16);
    shape(2, second, 16);
    shape(3, second, 16);
    shape(4, first, words);
    shape(5, second, words);
    shape(6, words, 16);
    shape(7, words, 16);
    asm volatile("ldtilecfg %0" ::"m"(shapes));
  }
  template <int tile>
  STAMP_INLINE static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(tile));
  }
  template <int tile>
  STAMP_INLINE static void load(const void* from, Index stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
  }
  template <int tile>
  STAMP_INLINE static void store(void* to, Index stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
  }
  static void release() { asm volatile("tilerelease" :::); }
};

/// Pairs of bfloat16 numbers, summed in float32.
struct Bf16Words {
  using Sum = float;
  template <int sums, int rows, int outputs>
  STAMP_INLINE static void step() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(rows), "i"(outputs));
  }
};

/// Four bytes: unsigned activations, signed weights.
struct Int8Words {
  using Sum = std::int32_t;
  template <int sums, int rows, int outputs>
  STAMP_INLINE static void step() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(rows), "i"(outputs));
  }
};

#include <stamp/cpu/simd/tiles.inc>

/// A row or a few take vectors: memory sets the pace, and a tile would be almost empty.
inline void product_int8(std::int32_t* y, Index y_stride, const std::uint32_t* x, Index x_stride,
                         Index rows, const std::uint32_t* panel, Index words, bool accumulate) {
  (rows <= 4 ? avx512::kernels.product_int8
             : tile_product<Int8Words>)(y, y_stride, x, x_stride, rows, panel, words, accumulate);
}

inline constexpr Kernels kernels = [] {
  Kernels k = avx512::kernels;
  k.strip_rows = 192;
  k.chunk_words = 192;  // the words of 32 outputs fill half of the first-level cache
  k.product_bf16 = tile_product<Bf16Words>;
  k.product_int8 = product_int8;
  k.attend_bf16 =
      avx512::attention<avx512::Bf16Words, avx512::Bf16Words,
                        avx512::StoredProducts<avx512::Bf16Words, AttendProducts<Bf16Words>>>;
  k.attend_int8 =
      avx512::attention<avx512::Int8Words, avx512::Bf16Words,
                        avx512::StoredProducts<avx512::Int8Words, AttendProducts<Int8Words>>>;
  return k;
}();

/// A product on tiles and the same one on vectors: int8 sums are equal, bfloat16 sums of small
/// whole numbers are exact in both. False on a machine (or a virtual one) whose tiles do not work.
[[nodiscard]] inline bool tiles_agree_with_vectors() {
  constexpr Index rows = 37;
  constexpr Index words = 21;
  std::array<std::uint32_t, rows * words> x{};
  std::array<std::uint32_t, 2 * tile_height * panel_width> panel{};
  const auto check = [&](auto number, std::uint32_t one_number, unsigned bits, auto tiles,
                         auto vectors) {
    const auto fill = [&](auto& to, Index count, std::uint32_t seed) {
      for (Index at = 0; at < count; ++at) {
        std::uint32_t word = 0;
        for (unsigned shift = 0; shift < 32; shift += bits) {
          seed = seed * 1664525U + 1013904223U;
          if (seed >> 31U != 0) word |= one_number << shift;
        }
        to[static_cast<std::size_t>(at)] = word;
      }
    };
    fill(x, rows * words, 1);
    fill(panel, words * panel_width, 2);
    std::array<decltype(number), rows * panel_width> a{};
    std::array<decltype(number), rows * panel_width> b{};
    tiles(a.data(), panel_width, x.data(), words, rows, panel.data(), words, false);
    vectors(b.data(), panel_width, x.data(), words, rows, panel.data(), words, false);
    return a == b;
  };
  constexpr std::uint32_t bf16_one = 0x3f80;
  return check(float{}, bf16_one, 16, kernels.product_bf16, avx512::kernels.product_bf16) &&
         check(std::int32_t{}, 3, 8, kernels.product_int8, avx512::kernels.product_int8);
}

}  // namespace stamp::cpu::amx
#include <stamp/cpu/simd/target_end.inc>
#undef STAMP_CPU_TARGET
