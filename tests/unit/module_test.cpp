// SPDX-License-Identifier: Apache-2.0
// The part tables: names, counts, and errors that list everything that is missing at once.
#include <gtest/gtest.h>

#include <parity/random_weights.hpp>
#include <set>
#include <stamp/model/stamp/model.hpp>
#include <stamp/reference/engine.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<float>;

std::set<std::string> names_of(const std::vector<ExpectedTensor>& expected) {
  std::set<std::string> names;
  for (const auto& tensor : expected) names.insert(tensor.name);
  return names;
}

TEST(Module, NamesAreTheCheckpointsOfAWholeModel) {
  auto config = test::tiny_config();
  config.vision.depth = 1;
  config.text.num_hidden_layers = 1;
  const std::set<std::string> expected{"visual.patch_embed.proj.weight",
                                       "visual.blocks.0.norm1.weight",
                                       "visual.blocks.0.norm1.bias",
                                       "visual.blocks.0.norm2.weight",
                                       "visual.blocks.0.norm2.bias",
                                       "visual.blocks.0.attn.qkv.weight",
                                       "visual.blocks.0.attn.qkv.bias",
                                       "visual.blocks.0.attn.proj.weight",
                                       "visual.blocks.0.attn.proj.bias",
                                       "visual.blocks.0.mlp.fc1.weight",
                                       "visual.blocks.0.mlp.fc1.bias",
                                       "visual.blocks.0.mlp.fc2.weight",
                                       "visual.blocks.0.mlp.fc2.bias",
                                       "visual.merger.ln_q.weight",
                                       "visual.merger.ln_q.bias",
                                       "visual.merger.mlp.0.weight",
                                       "visual.merger.mlp.0.bias",
                                       "visual.merger.mlp.2.weight",
                                       "visual.merger.mlp.2.bias",
                                       "model.embed_tokens.weight",
                                       "model.layers.0.input_layernorm.weight",
                                       "model.layers.0.post_attention_layernorm.weight",
                                       "model.layers.0.self_attn.q_proj.weight",
                                       "model.layers.0.self_attn.q_proj.bias",
                                       "model.layers.0.self_attn.k_proj.weight",
                                       "model.layers.0.self_attn.k_proj.bias",
                                       "model.layers.0.self_attn.v_proj.weight",
                                       "model.layers.0.self_attn.v_proj.bias",
                                       "model.layers.0.self_attn.o_proj.weight",
                                       "model.layers.0.mlp.gate_proj.weight",
                                       "model.layers.0.mlp.up_proj.weight",
                                       "model.layers.0.mlp.down_proj.weight",
                                       "model.norm.weight",
                                       "classifier.weight",
                                       "classifier.bias"};
  EXPECT_EQ(names_of(expected_tensors(Stamp<Engine>(config))), expected);

  config.text.tie_word_embeddings = false;
  auto untied = expected;
  untied.insert("lm_head.weight");
  EXPECT_EQ(names_of(expected_tensors(Stamp<Engine>(config))), untied);
}

TEST(Module, ListsAreNumberedAndScopesAreJoined) {
  const auto config = test::tiny_config();
  const auto names = names_of(expected_tensors(qwen2_vl::LanguageModel<Engine>(config.text), "m"));
  EXPECT_TRUE(names.contains("m.layers.2.mlp.up_proj.weight"));
  EXPECT_FALSE(names.contains("m.layers.3.mlp.up_proj.weight"));
  EXPECT_EQ(join("", "a"), "a");
  EXPECT_EQ(join("a.b", "c"), "a.b.c");
}

TEST(Module, ParametersOfThePublishedModelAreCounted) {
  // 2B: 1,543,714,304 in the language model (tied), 665,… in the vision tower; the sums are from
  // the shapes of stamp.md section 2, written out here once more.
  qwen2_vl::Config config;
  const auto& t = config.text;
  const Index d = t.hidden_size;
  const Index f = t.intermediate_size;
  const Index kv = 256;
  const Index layer = 2 * d + (d * d + d) + 2 * (kv * d + kv) + d * d + 3 * d * f;
  const Index language = t.vocab_size * d + 28 * layer + d;
  EXPECT_EQ(count_parameters(qwen2_vl::LanguageModel<Engine>(t)), language);
  EXPECT_EQ(language, 1543714304);
  constexpr Index v = 1280;
  const Index block = 4 * v + (3 * v * v + 3 * v) + (v * v + v) + 2 * 4 * v * v + 5 * v;
  const Index vision = v * 1176 + 32 * block + 2 * v + (16 * v * v + 4 * v) + (4 * v * d + d);
  EXPECT_EQ(count_parameters(qwen2_vl::VisionTower<Engine>(config.vision)), vision);
  EXPECT_EQ(count_parameters(Stamp<Engine>(config)), language + vision + d + 1);
}

TEST(Module, BindGivesEveryLeafItsTensor) {
  Engine engine(1);
  Linear<Engine, Hidden, Ffn> linear(Hidden{3}, Ffn{2});
  const test::RandomWeights weights(expected_tensors(linear, "a.b"));
  bind(engine, linear, weights, "a.b");
  EXPECT_EQ(linear.weight.stored.data, weights.find("a.b.weight")->data);
  float first = 0;
  std::memcpy(&first, weights.find("a.b.bias")->data, sizeof first);
  EXPECT_EQ(linear.bias.view()[0], first);
}

/// Keeps what bind says.
struct Told : Engine {
  using Engine::Engine;
  std::vector<std::string> said;
  void binding(std::string_view leaf) { said.emplace_back(leaf); }
  void binding_together(Index leaves, Index out) {
    said.push_back(std::to_string(leaves) + " to " + std::to_string(out));
  }
};

TEST(Module, BindTellsWhichLeavesMultiplyOneInput) {
  Told engine(1);
  qwen2_vl::DecoderLayer<Engine> layer(test::tiny_config().text);
  bind(engine, layer, test::RandomWeights(expected_tensors(layer, "l")), "l");
  EXPECT_EQ(engine.said,
            (std::vector<std::string>{"l.input_layernorm", "l.post_attention_layernorm", "3 to 80",
                                      "l.self_attn.q_proj", "l.self_attn.k_proj",
                                      "l.self_attn.v_proj", "l.self_attn.o_proj", "2 to 80",
                                      "l.mlp.gate_proj", "l.mlp.up_proj", "l.mlp.down_proj", ""}));
}

std::string bind_error(const qwen2_vl::Config& config, const test::RandomWeights& weights) {
  Engine engine(1);
  Stamp<Engine> model(config);
  try {
    bind(engine, model, weights);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::input);
    EXPECT_EQ(model.classifier.weight.stored.data, nullptr) << "bound although something is wrong";
    return error.what();
  }
  return "no error";
}

TEST(Module, MissingAndMisshapenTensorsAreNamedWithBothShapes) {
  const auto config = test::tiny_config();
  test::RandomWeights weights(expected_tensors(Stamp<Engine>(config)));
  EXPECT_EQ(bind_error(config, weights), "no error");
  weights.reshape("model.layers.1.mlp.up_proj.weight", {48, 40});
  weights.forget("classifier.bias");
  EXPECT_EQ(bind_error(config, weights),
            "model.layers.1.mlp.up_proj.weight: expected (Ffn 40, Hidden 48), the file has "
            "(48, 40); classifier.bias: expected (Logit 1), the file has none");
}

TEST(Module, TheFirstTwentyProblemsAreListed) {
  const auto config = test::tiny_config();
  const auto expected = expected_tensors(Stamp<Engine>(config));
  const test::RandomWeights nothing({});
  const std::string sentence = bind_error(config, nothing);
  std::size_t listed = 0;
  for (std::size_t at = sentence.find("the file has none"); at != std::string::npos;
       at = sentence.find("the file has none", at + 1)) {
    ++listed;
  }
  EXPECT_EQ(listed, 20U);
  EXPECT_TRUE(sentence.ends_with("; and " + std::to_string(expected.size() - 20) + " more"))
      << sentence;
  EXPECT_TRUE(sentence.starts_with(
      "visual.patch_embed.proj.weight: expected (VisionHidden 16, channels 3, frames 2, rows 2, "
      "columns 2), the file has none; "))
      << sentence;
}

TEST(Module, ExactlyTwentyProblemsNeedNoRemainder) {
  const auto config = test::tiny_config();
  const auto expected = expected_tensors(Stamp<Engine>(config));
  test::RandomWeights weights(expected);
  for (std::size_t at = 0; at < 20; ++at) weights.forget(expected[at].name);
  EXPECT_EQ(bind_error(config, weights).find("more"), std::string::npos);
}

}  // namespace
