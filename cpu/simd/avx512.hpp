// SPDX-License-Identifier: Apache-2.0
// The kernels for AVX-512 with VNNI and BF16: vectors of 16, products of bfloat16 and int8 words.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stamp/cpu/kernels.hpp>

#define STAMP_CPU_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma"
#include <stamp/cpu/simd/target_begin.inc>
namespace stamp::cpu::avx512 {

inline constexpr Index lanes = 16;
inline constexpr int tile_vectors = 4;  ///< 6 rows × 4 vectors of sums leave 8 registers
using Vector = __m512;
using Integers = __m512i;

STAMP_INLINE Vector load(const float* from) { return _mm512_loadu_ps(from); }
STAMP_INLINE void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
STAMP_INLINE __mmask16 first(Index count) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1U);
}
STAMP_INLINE Vector load_some(const float* from, Index count) {
  return _mm512_maskz_loadu_ps(first(count), from);
}
STAMP_INLINE void store_some(float* to, Vector v, Index count) {
  _mm512_mask_storeu_ps(to, first(count), v);
}
STAMP_INLINE Vector all(float value) { return _mm512_set1_ps(value); }
STAMP_INLINE Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
// Where GCC 12's header starts an intrinsic from an undefined register it warns of that register;
// the masked forms with all lanes chosen are the same instructions without it.
inline constexpr __mmask16 every = 0xffff;
STAMP_INLINE Vector larger(Vector a, Vector b) { return _mm512_maskz_max_ps(every, a, b); }
STAMP_INLINE Vector smaller(Vector a, Vector b) { return _mm512_maskz_min_ps(every, a, b); }
STAMP_INLINE Vector magnitude(Vector a) { return _mm512_abs_ps(a); }
template <int which>
STAMP_INLINE __m256 half_of(Vector v) {
  return _mm512_maskz_extractf32x8_ps(0xff, v, which);
}
STAMP_INLINE float sum_of(Vector v) {
  const __m256 eight = _mm256_add_ps(half_of<0>(v), half_of<1>(v));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
/// to [4] = scale times the sum of each vector's lanes.
STAMP_INLINE void store_four_sums(float* to, const Vector* sums, float scale) {
  __m256 eights[4];
  STAMP_UNROLL
  for (int one = 0; one < 4; ++one) {
    eights[one] = _mm256_add_ps(half_of<0>(sums[one]), half_of<1>(sums[one]));
  }
  const __m256 pairs =
      _mm256_hadd_ps(_mm256_hadd_ps(eights[0], eights[1]), _mm256_hadd_ps(eights[2], eights[3]));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
  _mm_storeu_ps(to, _mm_mul_ps(four, _mm_set1_ps(scale)));
}
STAMP_INLINE float largest_of(Vector v) {
  const __m256 eight = _mm256_max_ps(half_of<0>(v), half_of<1>(v));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
STAMP_INLINE bool any_above(Vector v, float bound) {
  return _mm512_cmp_ps_mask(v, all(bound), _CMP_GT_OQ) != 0;
}
/// v·2^⌊n⌋.
STAMP_INLINE Vector scale_by_power(Vector v, Vector n) {
  return _mm512_maskz_scalef_ps(every, v, n);
}
STAMP_INLINE Vector rounded(Vector v) {
  return _mm512_maskz_roundscale_ps(every, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

STAMP_INLINE void store_bf16(std::uint16_t* to, Vector v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(v));
}

/// What products of float32 and of bfloat16 words are summed in.
struct FloatSums {
  using Sum = float;
  using Sums = __m512;
  static constexpr Index panel_notes = 0;
  STAMP_INLINE static Vector score(Sums sums, const std::uint32_t* /*notes*/) { return sums; }
  STAMP_INLINE static Sums zero() { return _mm512_setzero_ps(); }
  STAMP_INLINE static Sums load(const Sum* from) { return _mm512_loadu_ps(from); }
  STAMP_INLINE static void store(Sum* to, Sums sums) { _mm512_storeu_ps(to, sums); }
};

/// A product of words: float32.
struct Fp32Words : FloatSums {
  static constexpr Index per_word = 1;
  /// Numbers at, at+1, … of a row of words.
  STAMP_INLINE static void put(std::uint32_t* row, Index at, Vector v) {
    stamp::cpu::avx512::store(reinterpret_cast<float*>(row) + at, v);
  }
  STAMP_INLINE static void put_two(std::uint32_t* row, Index at, Vector v, Vector next) {
    put(row, at, v);
    put(row, at + lanes, next);
  }
  STAMP_INLINE static Sums step(Sums sums, std::uint32_t x, Integers w) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(x))),
                           _mm512_castsi512_ps(w), sums);
  }
};

/// bfloat16 pairs.
struct Bf16Words : FloatSums {
  static constexpr Index per_word = 2;
  /// 2^x to 13 bits, of which a word keeps 8: 2^⌊x⌋ times the cubic whose largest relative error on
  /// [0, 1) is the smallest.
  STAMP_INLINE static Vector exp2(Vector x) {
    const Vector r = _mm512_maskz_reduce_ps(every, x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    Vector p = all(7.8024521e-2F);
    p = multiply_add(p, r, all(2.2606716e-1F));
    p = multiply_add(p, r, all(6.9583356e-1F));
    p = multiply_add(p, r, all(9.9992520e-1F));
    return scale_by_power(p, x);
  }
  STAMP_INLINE static void put(std::uint32_t* row, Index at, Vector v) {
    store_bf16(reinterpret_cast<std::uint16_t*>(row) + at, v);
  }
  STAMP_INLINE static void put_two(std::uint32_t* row, Index at, Vector v, Vector next) {
    _mm512_storeu_si512(row + at / 2, (__m512i)_mm512_cvtne2ps_pbh(next, v));
  }
  STAMP_INLINE static Integers halves(Vector v) {
    return _mm512_maskz_cvtepu16_epi32(every, (__m256i)_mm512_cvtneps_pbh(v));
  }
  /// Words of a number of `low` and the one of `high` at the same place.
  STAMP_INLINE static void put_pairs(std::uint32_t* row, Vector low, Vector high) {
    const Integers above = _mm512_maskz_slli_epi32(every, halves(high), 16);
    _mm512_storeu_si512(row, _mm512_or_si512(halves(low), above));
  }
  STAMP_INLINE static Sums step(Sums sums, std::uint32_t x, Integers w) {
    const Integers pair = _mm512_set1_epi32(static_cast<int>(x));
    return _mm512_dpbf16_ps(sums, (__m512bh)pair, (__m512bh)w);
  }
};

/// Four bytes: unsigned activations, signed weights.
struct Int8Words {
  using Sum = std::int32_t;
  using Sums = __m512i;
  static constexpr Index per_word = 4;
  static constexpr Index panel_notes = 2;
  /// (sums - shift)·scale, the shift and the scale of each key in rows of a panel.
  STAMP_INLINE static Vector score(Sums sums, const std::uint32_t* notes) {
    // Without this GCC 12 keeps the sums of a tile in memory all through the product.
    asm("" : "+v"(sums));
    const Integers whole = _mm512_sub_epi32(sums, _mm512_loadu_si512(notes));
    return _mm512_maskz_cvtepi32_ps(every, whole) *
           stamp::cpu::avx512::load(reinterpret_cast<const float*>(notes + panel_width));
  }
  STAMP_INLINE static Sums zero() { return _mm512_setzero_si512(); }
  STAMP_INLINE static Sums load(const Sum* from) { return _mm512_loadu_si512(from); }
  STAMP_INLINE static void store(Sum* to, Sums sums) { _mm512_storeu_si512(to, sums); }
  STAMP_INLINE static Sums step(Sums sums, std::uint32_t x, Integers w) {
    return _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(static_cast<int>(x)), w);
  }
};

STAMP_INLINE Integers load_words(const std::uint32_t* from) { return _mm512_loadu_si512(from); }

/// The even and the odd number of each bfloat16 pair, widened.
STAMP_INLINE Vector even_of(Integers pairs) {
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(every, pairs, 16));
}
STAMP_INLINE Vector odd_of(Integers pairs) {
  return _mm512_castsi512_ps(
      _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
}

inline void to_bf16(std::uint16_t* y, const float* x, Index count) {
  Index at = 0;
  for (; at + lanes <= count; at += lanes) {
    store_bf16(y + at, load(x + at));
  }
  if (at < count) {
    _mm256_mask_storeu_epi16(y + at, first(count - at),
                             (__m256i)_mm512_cvtneps_pbh(load_some(x + at, count - at)));
  }
}

/// The sum of each lane and its partner, or, in the second lane of a pair, their difference.
STAMP_INLINE Vector butterfly(Vector v, Vector exchanged, __mmask16 second) {
  return _mm512_mask_sub_ps(_mm512_add_ps(v, exchanged), second, exchanged, v);
}
/// v·H with the Hadamard matrix of 16: a butterfly for each bit of a lane's number.
STAMP_INLINE Vector within_vector(Vector v) {
  v = butterfly(v, _mm512_maskz_permute_ps(every, v, 0b10110001), 0xaaaa);
  v = butterfly(v, _mm512_maskz_permute_ps(every, v, 0b01001110), 0xcccc);
  v = butterfly(v, _mm512_maskz_shuffle_f32x4(every, v, v, 0b10110001), 0xf0f0);
  return butterfly(v, _mm512_maskz_shuffle_f32x4(every, v, v, 0b01001110), 0xff00);
}

/// zero + round(v) as bytes, and round(v) as signed ones; both end at their type's limits.
STAMP_INLINE void store_bytes(std::uint8_t* to, Vector v, std::int32_t zero, Index count) {
  const __m512i whole =
      _mm512_add_epi32(_mm512_maskz_cvtps_epi32(every, v), _mm512_set1_epi32(zero));
  const __m128i bytes = _mm512_maskz_cvtusepi32_epi8(every, whole);
  _mm_mask_storeu_epi8(to, first(count), bytes);
}
STAMP_INLINE void store_signed_bytes(std::int8_t* to, Vector v, Index count) {
  const __m128i bytes = _mm512_maskz_cvtsepi32_epi8(every, _mm512_maskz_cvtps_epi32(every, v));
  _mm_mask_storeu_epi8(to, first(count), bytes);
}
/// x - zero·sums, exactly, then as floats.
STAMP_INLINE Vector difference_to_floats(const std::int32_t* x, const std::int32_t* sums,
                                         std::int32_t zero, Index count) {
  const __m512i shift =
      _mm512_mullo_epi32(_mm512_maskz_loadu_epi32(first(count), sums), _mm512_set1_epi32(zero));
  return _mm512_maskz_cvtepi32_ps(
      every, _mm512_sub_epi32(_mm512_maskz_loadu_epi32(first(count), x), shift));
}

// clang-format off: each builds on those before it
#include <stamp/cpu/simd/rows.inc>
#include <stamp/cpu/simd/finish.inc>
#include <stamp/cpu/simd/quantize.inc>
#include <stamp/cpu/simd/product.inc>
#include <stamp/cpu/simd/skinny.inc>
#include <stamp/cpu/simd/attend_words.inc>
#include <stamp/cpu/simd/attend_bytes.inc>
#include <stamp/cpu/simd/attend.inc>
#include <stamp/cpu/simd/decode.inc>
// clang-format on

inline constexpr Kernels kernels{
    .strip_rows = 96,     // 24 KB of sums stay in the first-level cache
    .chunk_words = 1024,  // 256 KB of a panel, a part of the second-level cache
    .skinny_bf16 = skinny_bf16,
    .product_fp32 = product<Fp32Words>,
    .product_bf16 = product<Bf16Words>,
    .product_int8 = product<Int8Words>,
    .to_bf16 = to_bf16,
    .spread = spread,
    .to_int8 = to_int8,
    .to_uint8 = to_uint8,
    .finish = finish,
    .finish_int8 = finish_int8,
    .add = add,
    .sum = sum,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .quick_gelu = quick_gelu,
    .gelu = gelu,
    .swiglu = swiglu,
    .rotate = rotate,
    .attend_fp32 = attention<Fp32Words, Fp32Words>,
    .attend_bf16 = attention<Bf16Words, Bf16Words>,
    .attend_int8 = attention<Int8Words, Bf16Words>,
    .decode = decode,
};

}  // namespace stamp::cpu::avx512
#include <stamp/cpu/simd/target_end.inc>
#undef STAMP_CPU_TARGET
