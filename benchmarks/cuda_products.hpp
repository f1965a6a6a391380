// SPDX-License-Identifier: Apache-2.0
// Products at the published sizes on a GPU.
#pragma once

#include <stamp/cuda/chosen_algorithm.hpp>

#include "cuda_timing.hpp"
#include "random_weights.hpp"

namespace stamp::benchmarks {

/// A weight matrix [out, in].
struct ProductShape {
  const char* name;
  Index in, out;
};

/// The product library's algorithm for a product that was timed, as members of its line; empty
/// where kernels of our own multiply. Weights in codes are many products of it, and tell nothing.
[[nodiscard]] inline std::string chosen_for(Engine& engine, View<bfloat16, Tokens, Ffn> y,
                                            View<const bfloat16, Tokens, Hidden> x,
                                            const Engine::Matrix<Ffn, Hidden>& weights) {
  if (weights.kept != cuda::Weights::full) return "";
  const auto chosen = cuda::chosen_algorithm<bfloat16>(
      engine.device(), {erase(y), erase(x), weights.numbers<bfloat16>()});
  if (!chosen) return "";
  return R"(, "algorithm": )" + std::to_string(chosen->id) + R"(, "tile": )" +
         std::to_string(chosen->tile) + R"(, "stages": )" + std::to_string(chosen->stages) +
         R"(, "splits": )" + std::to_string(chosen->splits) + R"(, "reduction": )" +
         std::to_string(chosen->reduction);
}

inline void time_product(Engine& engine, const std::string& name, Index rows, Index in, Index out) {
  const auto frame = engine.frame();
  const auto numbers = random_weights(static_cast<std::size_t>(in * out));
  StoredTensor stored;
  stored.type = ElementType::bfloat16;
  stored.rank = 2;
  stored.extents = {out, in};
  stored.data = reinterpret_cast<const std::byte*>(numbers.data());
  // Weights in turn, so that a product of few rows cannot find them in the cache; with many rows
  // reading them costs little.
  const Index copies =
      std::clamp<Index>((Index{256} << 20U) / (2 * in * out), 1, rows <= 16 ? 96 : 16);
  std::vector<Engine::Matrix<Ffn, Hidden>> weights;
  for (Index at = 0; at < copies; ++at) {
    weights.push_back(engine.matrix(stored, Ffn{out}, Hidden{in}));
  }
  const auto x = engine.allocate<bfloat16>(Tokens{rows}, Hidden{in});
  const auto y = engine.allocate<bfloat16>(Tokens{rows}, Ffn{out});
  upload_random(engine, x, 1);
  std::size_t turn = 0;
  const auto size = static_cast<double>(in) * static_cast<double>(out);
  const double of_weights = weights.front().kept == cuda::Weights::full ? 2 * size : size;
  const Work work{2 * static_cast<double>(rows) * size,
                  of_weights + 2 * static_cast<double>(rows * (in + out))};
  const int many = static_cast<int>(std::max<Index>(20, copies));
  const Times times =
      time_of(engine, work, many, [&] { matmul(engine, y, x, weights[turn++ % weights.size()]); });
  print("product", name, times, work, chosen_for(engine, y, x, weights.front()));
}

/// As a layer multiplies: query, key and value in one product, gate and up in another.
inline constexpr ProductShape language_products[] = {
    {"2b_qkv", 1536, 2048},      {"2b_o", 1536, 1536},     {"2b_gate_up", 1536, 17920},
    {"2b_down", 8960, 1536},     {"7b_qkv", 3584, 4608},   {"7b_o", 3584, 3584},
    {"7b_gate_up", 3584, 37888}, {"7b_down", 18944, 3584},
};

inline void time_language_products(Engine& engine, Index rows, const std::string& weights) {
  for (const auto& [name, in, out] : language_products) {
    time_product(engine, std::string(name) + "_" + std::to_string(rows) + weights, rows, in, out);
  }
}

inline void time_vision_products(Engine& engine) {
  for (const auto& [name, in, out] :
       {ProductShape{"vision_qkv", 1280, 3840}, ProductShape{"vision_proj", 1280, 1280},
        ProductShape{"vision_fc1", 1280, 5120}, ProductShape{"vision_fc2", 5120, 1280}}) {
    time_product(engine, std::string(name) + "_4096", 4096, in, out);
  }
}

}  // namespace stamp::benchmarks
