// SPDX-License-Identifier: Apache-2.0
// Rows of a stored matrix as 8-bit codes with a scale a row, made on the host while a matrix is on
// its way to the device.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stamp/cuda/weights.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <vector>

namespace stamp::cuda {

/// v/scale rounded to the nearest code, ties to even; |v| is at most largest_code·scale.
template <Code C>
[[nodiscard]] constexpr C code_of(float v, float inverse) {
  if constexpr (std::same_as<C, std::int8_t>) {
    // The sum's last bit is 1, so that the addition rounds.
    const auto word = std::bit_cast<std::uint32_t>(v * inverse + 0x1.8p23F);
    return std::bit_cast<std::int8_t>(static_cast<std::uint8_t>(word));
  } else {
    return float8_e4m3(v * inverse);
  }
}

/// row[k] ≈ scale·codes[k] with scale = max|row|/largest_code, which is returned. Numbers too small
/// for that become zeros; a number that is not finite makes the scale NaN, so that every product
/// with the row is NaN.
template <Code C>
[[nodiscard]] float quantize_row(C* codes, const std::vector<float>& row) {
  std::uint32_t most = 0;
  for (const float value : row) {
    most = std::max(most, std::bit_cast<std::uint32_t>(value) & 0x7fffffffU);
  }
  const float largest = std::bit_cast<float>(most);
  const float scale = largest / largest_code<C>;
  const float inverse = 1 / scale;
  const bool finite = most < 0x7f800000U;
  if (!finite || inverse > std::numeric_limits<float>::max()) {
    std::fill_n(codes, row.size(), C{});
    return finite ? 0 : NAN;
  }
  for (std::size_t at = 0; at < row.size(); ++at) codes[at] = code_of<C>(row[at], inverse);
  return scale;
}

/// The codes of a stored matrix [out, in], stretch by stretch as Device::upload asks for them.
template <Code C>
class Quantizer {
 public:
  Quantizer(const StoredTensor& stored, Index out, Index in)
      : stored_(stored),
        row_(static_cast<std::size_t>(in)),
        codes_(static_cast<std::size_t>(in)),
        scales_(static_cast<std::size_t>(out)) {}

  /// Codes [begin, begin + count) of the matrix, row after row. A row that a stretch cuts is
  /// rounded for both of its parts.
  void operator()(std::byte* to, Index begin, Index count) {
    const auto in = std::ssize(row_);
    for (Index done = 0; done < count;) {
      const Index row = (begin + done) / in;
      const Index first = (begin + done) % in;
      const Index length = std::min(in - first, count - done);
      widen_stored(stored_, row * in, in, row_.data());
      scales_[static_cast<std::size_t>(row)] = quantize_row(codes_.data(), row_);
      std::memcpy(to + done, codes_.data() + first, static_cast<std::size_t>(length));
      done += length;
    }
  }

  /// One a row, once all codes were asked for.
  [[nodiscard]] const std::vector<float>& scales() const { return scales_; }

 private:
  StoredTensor stored_;
  std::vector<float> row_;
  std::vector<C> codes_;
  std::vector<float> scales_;
};

}  // namespace stamp::cuda
