// SPDX-License-Identifier: Apache-2.0
// The kernels for AVX2 with FMA: vectors of 8, products of float32 words only. bfloat16 weights are
// widened when they are packed.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stamp/cpu/kernels.hpp>

#define STAMP_CPU_TARGET "avx2,fma"
#include <stamp/cpu/simd/target_begin.inc>
namespace stamp::cpu::avx2 {

inline constexpr Index lanes = 8;
inline constexpr int tile_vectors = 2;  ///< 6 rows × 2 vectors of sums leave 4 registers
using Vector = __m256;
using Integers = __m256i;

STAMP_INLINE Vector load(const float* from) { return _mm256_loadu_ps(from); }
STAMP_INLINE void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
STAMP_INLINE __m256i first(Index count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
STAMP_INLINE Vector load_some(const float* from, Index count) {
  return _mm256_maskload_ps(from, first(count));
}
STAMP_INLINE void store_some(float* to, Vector v, Index count) {
  _mm256_maskstore_ps(to, first(count), v);
}
STAMP_INLINE Vector all(float value) { return _mm256_set1_ps(value); }
STAMP_INLINE Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
STAMP_INLINE Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
STAMP_INLINE Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }
STAMP_INLINE Vector magnitude(Vector a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a); }
STAMP_INLINE float sum_of(Vector v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
/// to [4] = scale times the sum of each vector's lanes.
STAMP_INLINE void store_four_sums(float* to, const Vector* sums, float scale) {
  const __m256 pairs =
      _mm256_hadd_ps(_mm256_hadd_ps(sums[0], sums[1]), _mm256_hadd_ps(sums[2], sums[3]));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
  _mm_storeu_ps(to, _mm_mul_ps(four, _mm_set1_ps(scale)));
}
STAMP_INLINE float largest_of(Vector v) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
STAMP_INLINE bool any_above(Vector v, float bound) {
  return _mm256_movemask_ps(_mm256_cmp_ps(v, all(bound), _CMP_GT_OQ)) != 0;
}
/// v·2^n for whole n in [-126, 127]: n goes into the exponent of a power of two.
STAMP_INLINE Vector scale_by_power(Vector v, Vector n) {
  const __m256i bits =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(v, _mm256_castsi256_ps(bits));
}
STAMP_INLINE Vector rounded(Vector v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/// A product of words: float32.
struct Fp32Words {
  using Sum = float;
  using Sums = __m256;
  static constexpr Index per_word = 1;
  static constexpr Index panel_notes = 0;
  STAMP_INLINE static Vector score(Sums sums, const std::uint32_t* /*notes*/) { return sums; }
  STAMP_INLINE static Sums zero() { return _mm256_setzero_ps(); }
  STAMP_INLINE static Sums load(const Sum* from) { return _mm256_loadu_ps(from); }
  STAMP_INLINE static void store(Sum* to, Sums sums) { _mm256_storeu_ps(to, sums); }
  /// Numbers at, at+1, … of a row of words.
  STAMP_INLINE static void put(std::uint32_t* row, Index at, Vector v) {
    stamp::cpu::avx2::store(reinterpret_cast<float*>(row) + at, v);
  }
  STAMP_INLINE static void put_two(std::uint32_t* row, Index at, Vector v, Vector next) {
    put(row, at, v);
    put(row, at + lanes, next);
  }
  STAMP_INLINE static Sums step(Sums sums, std::uint32_t x, Integers w) {
    return _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(x))),
                           _mm256_castsi256_ps(w), sums);
  }
};

STAMP_INLINE Integers load_words(const std::uint32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// clang-format off: each builds on those before it
#include <stamp/cpu/simd/rows.inc>
#include <stamp/cpu/simd/finish.inc>
#include <stamp/cpu/simd/product.inc>
#include <stamp/cpu/simd/attend_words.inc>
#include <stamp/cpu/simd/attend.inc>
#include <stamp/cpu/simd/decode.inc>
// clang-format on

inline constexpr Kernels kernels{
    .strip_rows = 96,     // 24 KB of sums stay in the first-level cache
    .chunk_words = 1024,  // 256 KB of a panel, a part of the second-level cache
    .skinny_bf16 = nullptr,
    .product_fp32 = product<Fp32Words>,
    .product_bf16 = nullptr,
    .product_int8 = nullptr,
    .to_bf16 = nullptr,
    .spread = nullptr,
    .to_int8 = nullptr,
    .to_uint8 = nullptr,
    .finish = finish,
    .finish_int8 = nullptr,
    .add = add,
    .sum = sum,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .quick_gelu = quick_gelu,
    .gelu = gelu,
    .swiglu = swiglu,
    .rotate = rotate,
    .attend_fp32 = attention<Fp32Words, Fp32Words>,
    .attend_bf16 = {},
    .attend_int8 = {},
    .decode = decode,
};

}  // namespace stamp::cpu::avx2
#include <stamp/cpu/simd/target_end.inc>
#undef STAMP_CPU_TARGET
