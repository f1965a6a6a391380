// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/lora_merge.hpp>.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <stamp/checkpoint/lora_merge.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/half.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <thread>

namespace stamp::checkpoint {

namespace detail {

template <class T>
void store(std::byte* to, ElementType type, std::size_t at, T value) {
  const auto put = [&](auto element) {
    std::memcpy(to + at * sizeof(element), &element, sizeof(element));
  };
  if (type == ElementType::float32) put(static_cast<float>(value));
  if (type == ElementType::float64) put(static_cast<double>(value));
  if (type == ElementType::float16) put(half(static_cast<float>(value)));
  if (type == ElementType::bfloat16) put(bfloat16(static_cast<float>(value)));
}

/// `value` as the element type would keep it.
template <class T>
[[nodiscard]] T rounded(ElementType type, T value) {
  if (type == ElementType::float32) return static_cast<T>(static_cast<float>(value));
  if (type == ElementType::float16)
    return static_cast<T>(static_cast<float>(half(static_cast<float>(value))));
  if (type == ElementType::bfloat16)
    return static_cast<T>(static_cast<float>(bfloat16(static_cast<float>(value))));
  return value;
}

/// Rows `from` to `to` of the merged matrix. Plainly:
///   merged[o, i] = W[o, i] + s · Σ_k B[o, k] · A[k, i]
/// PEFT rounds the update of a convolution to W's type before it adds, that of a matrix not.
/// Columns go in blocks so that A's block (r × 1024 numbers) stays in the cache for all rows.
template <class T>
void merge_rows(const StoredTensor& base, std::span<const T> a, std::span<const T> b, T scale,
                std::size_t from, std::size_t to, std::byte* merged) {
  const auto out = static_cast<std::size_t>(base.extents[0]);
  const std::size_t rank = b.size() / out, in = a.size() / rank;
  const bool convolution = base.rank > 2;
  constexpr std::size_t block = 1024;
  std::vector<T> sum(block);
  for (std::size_t begin = 0; begin < in; begin += block) {
    const std::size_t width = std::min(block, in - begin);
    for (std::size_t row = from; row < to; ++row) {
      std::fill_n(sum.begin(), width, T{0});
      for (std::size_t k = 0; k < rank; ++k) {
        const T factor = b[row * rank + k];
        const T* line = a.data() + k * in + begin;
        for (std::size_t i = 0; i < width; ++i) sum[i] += factor * line[i];
      }
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t at = row * in + begin + i;
        const T update = convolution ? rounded<T>(base.type, sum[i] * scale) : sum[i] * scale;
        T weight{};
        widen_stored(base, static_cast<Index>(at), 1, &weight);
        store(merged, base.type, at, weight + update);
      }
    }
  }
}

template <class T>
void merge_as(const StoredTensor& base, const LowRank& update, std::byte* merged) {
  const auto widened = [](const StoredTensor& tensor) {
    std::vector<T> values(static_cast<std::size_t>(tensor.size()));
    widen_stored(tensor, 0, tensor.size(), values.data());
    return values;
  };
  const std::vector<T> a = widened(update.a), b = widened(update.b);
  const auto rows = static_cast<std::size_t>(base.extents[0]);
  // A thread is worth its start for a few million products; every element is the work of one
  // thread alone, so their number does not change the result.
  const double products = static_cast<double>(b.size()) * static_cast<double>(base.size()) /
                          static_cast<double>(base.extents[0]);
  const auto useful = static_cast<std::size_t>(products / 4e6) + 1;
  const std::size_t threads =
      std::min({useful, rows, std::max<std::size_t>(std::thread::hardware_concurrency(), 1)});
  const auto part = [&](std::size_t at) {
    merge_rows<T>(base, a, b, static_cast<T>(update.scale), rows * at / threads,
                  rows * (at + 1) / threads, merged);
  };
  std::vector<std::jthread> workers;
  for (std::size_t at = 1; at < threads; ++at) workers.emplace_back(part, at);
  part(0);
}

}  // namespace detail

std::vector<std::byte> merge(const StoredTensor& base, const LowRank& update) {
  std::vector<std::byte> merged(static_cast<std::size_t>(base.bytes()));
  if (merged.empty()) return merged;
  const bool wide = update.a.type == ElementType::float64 ||
                    update.b.type == ElementType::float64 || base.type == ElementType::float64;
  if (wide) {
    detail::merge_as<double>(base, update, merged.data());
  } else {
    detail::merge_as<float>(base, update, merged.data());
  }
  return merged;
}

}  // namespace stamp::checkpoint
