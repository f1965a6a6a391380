// SPDX-License-Identifier: Apache-2.0
// Which tensors a configuration asks for, so that a wrong checkpoint is found before a byte of its
// weights is read, and all that is wrong with it is said at once.
#pragma once

#include <algorithm>
#include <set>
#include <stamp/checkpoint/adapted_weights.hpp>
#include <stamp/model/qwen2_vl/config.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

/// A tensor by its canonical name; `shape` as transformers stores it.
struct ExpectedTensor {
  std::string name;
  std::vector<Index> shape;
};

/// Every tensor of a Qwen2-VL model with STAMP's classifier, in the order of the computation.
/// `lm_head.weight` is among them only when it is not tied to the embedding.
[[nodiscard]] inline std::vector<ExpectedTensor> expected_tensors(const qwen2_vl::Config& config) {
  std::vector<ExpectedTensor> list;
  const auto add = [&](const std::string& name, std::vector<Index> shape) {
    list.push_back({name, std::move(shape)});
  };
  const auto add_linear = [&](const std::string& name, Index out, Index in) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  };
  const auto add_layer_norm = [&](const std::string& name, Index width) {
    add(name + ".weight", {width});
    add(name + ".bias", {width});
  };

  const auto& vision = config.vision;
  const Index d = vision.embed_dim;
  add("visual.patch_embed.proj.weight",
      {d, vision.in_channels, vision.temporal_patch_size, vision.patch_size, vision.patch_size});
  for (Index i = 0; i < vision.depth; ++i) {
    const std::string block = "visual.blocks." + std::to_string(i) + ".";
    add_layer_norm(block + "norm1", d);
    add_linear(block + "attn.qkv", 3 * d, d);
    add_linear(block + "attn.proj", d, d);
    add_layer_norm(block + "norm2", d);
    add_linear(block + "mlp.fc1", vision.mlp_hidden, d);
    add_linear(block + "mlp.fc2", d, vision.mlp_hidden);
  }
  const Index merged = d * vision.merged_patches();
  add_layer_norm("visual.merger.ln_q", d);
  add_linear("visual.merger.mlp.0", merged, merged);
  add_linear("visual.merger.mlp.2", vision.hidden_size, merged);

  const auto& text = config.text;
  const Index h = text.hidden_size;
  const Index keys = text.num_key_value_heads * text.head_dim();
  add("model.embed_tokens.weight", {text.vocab_size, h});
  for (Index i = 0; i < text.num_hidden_layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "input_layernorm.weight", {h});
    add_linear(layer + "self_attn.q_proj", h, h);
    add_linear(layer + "self_attn.k_proj", keys, h);
    add_linear(layer + "self_attn.v_proj", keys, h);
    add(layer + "self_attn.o_proj.weight", {h, h});
    add(layer + "post_attention_layernorm.weight", {h});
    add(layer + "mlp.gate_proj.weight", {text.intermediate_size, h});
    add(layer + "mlp.up_proj.weight", {text.intermediate_size, h});
    add(layer + "mlp.down_proj.weight", {h, text.intermediate_size});
  }
  add("model.norm.weight", {h});
  if (!text.tie_word_embeddings) add("lm_head.weight", {text.vocab_size, h});
  add("classifier.weight", {1, h});
  add("classifier.bias", {1});
  return list;
}

/// Tensors that the model does not read, for `stamp info`. A tied head that was stored along
/// counts.
[[nodiscard]] inline std::vector<std::string> unused_tensors(const qwen2_vl::Config& config,
                                                             const AdaptedWeights& weights) {
  std::set<std::string> wanted;
  for (const ExpectedTensor& tensor : expected_tensors(config)) wanted.insert(tensor.name);
  std::vector<std::string> unused;
  for (std::string& name : weights.names()) {
    if (!wanted.contains(name)) unused.push_back(std::move(name));
  }
  return unused;
}

namespace detail {

/// STAMP's own module: a linear layer from hidden_size to one logit, with bias.
inline void check_classifier(const qwen2_vl::Config& config, const AdaptedWeights& weights,
                             const std::string& where) {
  const auto found = [&](const char* name) {
    const TensorEntry* entry = weights.entry(name);
    return entry == nullptr ? std::string("none") : to_string(entry->shape);
  };
  const std::string weight = found("classifier.weight"), bias = found("classifier.bias");
  const std::string hidden = std::to_string(config.text.hidden_size);
  if (weight == "(1, " + hidden + ")" && bias == "(1)") return;
  fail(Fault::input, where + ": classifier must be [1, " + hidden + "] with bias; found weight " +
                         weight + ", bias " + bias);
}

}  // namespace detail

/// Names, shapes and types of all weights against the configuration. Throws one Error{input} that
/// lists the first 20 tensors that are missing, of another shape, or of no floating-point type.
inline void check_tensors(const qwen2_vl::Config& config, const AdaptedWeights& weights) {
  const std::string where = shown(weights.base().folder());
  std::vector<std::string> wrong;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    if (tensor.name.starts_with("classifier.")) continue;  // has a sentence of its own
    const TensorEntry* found = weights.entry(tensor.name);
    const auto type = found == nullptr ? std::nullopt : element_type(found->dtype);
    if (found == nullptr) {
      wrong.push_back(tensor.name + " missing, expected " + to_string(tensor.shape));
    } else if (found->shape != tensor.shape) {
      wrong.push_back(tensor.name + " shape " + to_string(found->shape) + " expected " +
                      to_string(tensor.shape));
    } else if (!type || *type == ElementType::int32 || *type == ElementType::int64) {
      wrong.push_back("dtype " + found->dtype + " of " + tensor.name + " unsupported for weights");
    }
  }
  if (!wrong.empty()) {
    constexpr std::size_t most = 20;
    std::string list;
    for (std::size_t at = 0; at < std::min(most, wrong.size()); ++at) {
      list += (at == 0 ? "" : "; ") + wrong[at];
    }
    if (wrong.size() > most) list += "; and " + std::to_string(wrong.size() - most) + " more";
    fail(Fault::input, where + ": does not fit config.json (hidden_size " +
                           std::to_string(config.text.hidden_size) + "): " + list);
  }
  detail::check_classifier(config, weights, where);
}

}  // namespace stamp::checkpoint
