// SPDX-License-Identifier: Apache-2.0
// Weights drawn from a seed for any module, and a tiny model to give them to: what properties are
// tested on, and what speed is measured on, where no checkpoint is needed.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <stamp/model/qwen2_vl/config.hpp>
#include <stamp/nn/module.hpp>
#include <stamp/tensor/element.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::test {

/// How matrices and vectors are stored.
enum class StoredAs { float32, bfloat16 };

/// A WeightSource with every tensor of a list. The draw keeps activations of order one through any
/// depth: matrices uniform with variance 1/fan-in, norm weights near one, biases small, embedding
/// rows of order one. The numbers depend on the tensor's name and the seed alone.
class RandomWeights {
 public:
  explicit RandomWeights(const std::vector<ExpectedTensor>& expected, std::uint64_t seed = 1,
                         StoredAs as = StoredAs::float32)
      : as_(as) {
    for (const ExpectedTensor& tensor : expected) tensors_[tensor.name] = draw(tensor, seed);
  }

  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return std::nullopt;
    StoredTensor stored;
    stored.type = as_ == StoredAs::float32 ? ElementType::float32 : ElementType::bfloat16;
    stored.rank = found->second.shape.size();
    std::ranges::copy(found->second.shape, stored.extents.begin());
    stored.data = as_ == StoredAs::float32
                      ? reinterpret_cast<const std::byte*>(found->second.floats.data())
                      : reinterpret_cast<const std::byte*>(found->second.brains.data());
    return stored;
  }

  /// Takes a tensor out, so that a test can see it missed.
  void forget(const std::string& name) { tensors_.erase(name); }
  /// Gives a tensor another shape of as many numbers.
  void reshape(const std::string& name, std::vector<Index> shape) {
    tensors_.at(name).shape = std::move(shape);
  }

 private:
  struct Drawn {
    std::vector<Index> shape;
    std::vector<float> floats;
    std::vector<bfloat16> brains;
  };

  [[nodiscard]] Drawn draw(const ExpectedTensor& tensor, std::uint64_t seed) const {
    Drawn drawn{tensor.shape, {}, {}};
    Index size = 1;
    for (const Index extent : tensor.shape) size *= extent;
    double centre = 0;
    double deviation = 1;
    if (tensor.shape.size() == 1) {
      const bool bias = tensor.name.ends_with("bias");
      centre = bias ? 0 : 1;
      deviation = bias ? 0.05 : 0.1;
    } else if (!tensor.name.ends_with("embed_tokens.weight")) {
      deviation = 1 / std::sqrt(static_cast<double>(size) / static_cast<double>(tensor.shape[0]));
    }
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a: the same on every platform
    for (const char letter : tensor.name) {
      hash = (hash ^ static_cast<unsigned char>(letter)) * 1099511628211ULL;
    }
    std::mt19937_64 random(hash ^ (seed * 0x9e3779b97f4a7c15ULL));
    for (Index at = 0; at < size; ++at) {
      const double uniform = static_cast<double>(random() >> 11U) * 0x1p-53;  // [0, 1)
      const auto value = static_cast<float>(centre + deviation * std::sqrt(12.0) * (uniform - 0.5));
      if (as_ == StoredAs::float32) {
        drawn.floats.push_back(value);
      } else {
        drawn.brains.push_back(bfloat16(value));
      }
    }
    return drawn;
  }

  StoredAs as_;
  std::map<std::string, Drawn, std::less<>> tensors_;
};
static_assert(WeightSource<RandomWeights>);

/// Ids of the tiny vocabulary; every other id below 50 is a word.
namespace token {
inline constexpr std::int32_t im_start = 50;
inline constexpr std::int32_t im_end = 51;
inline constexpr std::int32_t vision_start = 52;
inline constexpr std::int32_t vision_end = 53;
inline constexpr std::int32_t image_pad = 54;
inline constexpr std::int32_t seg = 55;
inline constexpr std::int32_t mask = 56;
}  // namespace token

/// A whole STAMP model of a few thousand numbers: every box is there, with grouped queries, three
/// uneven rotary sections and a tied embedding.
[[nodiscard]] inline qwen2_vl::Config tiny_config() {
  qwen2_vl::Config config;
  config.vision = {.depth = 2,
                   .embed_dim = 16,
                   .num_heads = 2,
                   .hidden_size = 48,
                   .mlp_hidden = 32,
                   .in_channels = 3,
                   .patch_size = 2,
                   .temporal_patch_size = 2,
                   .spatial_merge_size = 2};
  config.text = {.hidden_size = 48,
                 .intermediate_size = 40,
                 .num_hidden_layers = 3,
                 .num_attention_heads = 6,
                 .num_key_value_heads = 2,
                 .vocab_size = 57,
                 .max_position_embeddings = 4096,
                 .rms_norm_eps = 1e-6,
                 .rope_theta = 1e4,
                 .mrope_section = {1, 2, 1},
                 .tie_word_embeddings = true};
  config.tokens = {.im_start = token::im_start,
                   .im_end = token::im_end,
                   .vision_start = token::vision_start,
                   .vision_end = token::vision_end,
                   .image_pad = token::image_pad,
                   .seg = token::seg,
                   .mask = token::mask};
  return config;
}

/// The same with heads of 16 numbers, which tensor cores take.
[[nodiscard]] inline qwen2_vl::Config heads_of_16(bool tied = true, Index layers = 2) {
  auto config = tiny_config();
  config.text.hidden_size = 96;
  config.vision.hidden_size = 96;
  config.text.mrope_section = {2, 3, 3};
  config.text.num_hidden_layers = layers;
  config.text.tie_word_embeddings = tied;
  return config;
}

/// The published layout at the size of the model that ships with the project: vision 4 × 192,
/// language 6 × 192 with 3 query heads and 1 key head of 64, FFN 512, merge 2.
[[nodiscard]] inline qwen2_vl::Config shipped_size_config() {
  qwen2_vl::Config config = tiny_config();
  config.vision = {.depth = 4,
                   .embed_dim = 192,
                   .num_heads = 3,
                   .hidden_size = 192,
                   .mlp_hidden = 768,
                   .in_channels = 3,
                   .patch_size = 8,
                   .temporal_patch_size = 2,
                   .spatial_merge_size = 2};
  config.text = {.hidden_size = 192,
                 .intermediate_size = 512,
                 .num_hidden_layers = 6,
                 .num_attention_heads = 3,
                 .num_key_value_heads = 1,
                 .vocab_size = 512,
                 .max_position_embeddings = 4096,
                 .rms_norm_eps = 1e-6,
                 .rope_theta = 1e4,
                 .mrope_section = {8, 12, 12},
                 .tie_word_embeddings = true};
  return config;
}

/// Numbers of order one from a seed, for pixels and activations.
[[nodiscard]] inline std::vector<double> random_numbers(Index count, std::uint64_t seed,
                                                        double scale = 1) {
  std::mt19937_64 random(seed);
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (double& number : numbers) {
    number = scale * (2 * static_cast<double>(random() >> 11U) * 0x1p-53 - 1);
  }
  return numbers;
}

}  // namespace stamp::test
