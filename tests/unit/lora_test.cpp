// SPDX-License-Identifier: Apache-2.0
// LoRA adapters against PEFT's own merge (tests/goldens/lora, from
// reference/pytorch/lora_goldens.py) and docs/bad-input.md, rows 62.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stamp/checkpoint/adapted_weights.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using stamp::Index;
using stamp::checkpoint::AdaptedWeights;
using stamp::checkpoint::named;
using stamp::checkpoint::NamedTensor;
using stamp::checkpoint::Safetensors;

const fs::path goldens = fs::path(STAMP_SOURCE_DIR) / "tests/goldens/lora";

void expect_equals_peft(const std::string& adapter, std::size_t changed) {
  const AdaptedWeights weights(goldens / "base", goldens / adapter);
  const Safetensors golden(goldens / "merged.safetensors");
  std::size_t compared = 0;
  for (const std::string& full : golden.names()) {
    if (!full.starts_with(adapter + "/")) continue;
    const std::string name = full.substr(adapter.size() + 1);
    const auto expected = golden.find(full), found = weights.find(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->type, expected->type) << name;
    ASSERT_EQ(stamp::to_string(found->shape()), stamp::to_string(expected->shape())) << name;
    EXPECT_EQ(std::memcmp(found->data, expected->data, static_cast<std::size_t>(found->bytes())), 0)
        << name;
    ++compared;
  }
  EXPECT_EQ(compared, changed);
  for (const std::string& name : weights.names()) {  // and nothing else has changed
    const bool in_golden = golden.find(adapter + "/" + name).has_value();
    const auto base = weights.base().find(name);
    EXPECT_EQ(!base || weights.find(name)->data != base->data, in_golden) << name;
  }
}

TEST(Lora, RankStabilisedWithReplacedEmbeddingEqualsPeft) { expect_equals_peft("adapter", 18); }
TEST(Lora, PlainWithPatternsAndConvolutionEqualsPeft) { expect_equals_peft("plain", 3); }

TEST(Lora, ReplacedVocabularyMayBeSmaller) {
  const AdaptedWeights weights(goldens / "base", goldens / "adapter");
  EXPECT_EQ(weights.base().find("model.embed_tokens.weight")->extents[0], 40);
  EXPECT_EQ(weights.find("model.embed_tokens.weight")->extents[0], 36);
  EXPECT_EQ(weights.entry("lm_head.weight")->shape, (std::vector<Index>{36, 16}));
}

TEST(Lora, MergesOnceAndKeepsTheAddress) {
  const AdaptedWeights weights(goldens / "base", goldens / "adapter");
  const auto* name = "model.layers.0.self_attn.q_proj.weight";
  EXPECT_EQ(weights.find(name)->data, weights.find(name)->data);
}

/// A base of one matrix q (2 x 3) beside an embedding, and an adapter that each test bends.
class SmallLora : public testing::Test {
 protected:
  SmallLora() {
    fs::create_directories(base());
    fs::create_directories(adapter());
    write_safetensors(base() / "model.safetensors",
                      std::vector{named("model.layers.0.q_proj.weight", {2, 3}, q_),
                                  named("model.layers.0.q_proj.bias", {2}, two_),
                                  named("model.embed_tokens.weight", {2, 3}, q_)});
  }
  [[nodiscard]] fs::path base() const { return folder_ / "base"; }
  [[nodiscard]] fs::path adapter() const { return folder_ / "adapter"; }

  void write_config(const json& patch = json::object()) const {
    json config = {
        {"peft_type", "LORA"}, {"r", 1}, {"lora_alpha", 2}, {"target_modules", {"q_proj"}}};
    config.merge_patch(patch);
    files::write_json(adapter() / "adapter_config.json", config);
  }
  void write_tensors(const std::vector<NamedTensor>& tensors) const {
    write_safetensors(adapter() / "adapter_model.safetensors", tensors);
  }
  [[nodiscard]] std::vector<NamedTensor> tensors(
      const std::string& module = "model.layers.0.q_proj", const std::string& name = "") const {
    return {named(prefix + module + ".lora_A" + name + ".weight", {1, 3}, three_),
            named(prefix + module + ".lora_B" + name + ".weight", {2, 1}, two_)};
  }
  [[nodiscard]] std::string says() const {
    return files::failure_of([&] { const AdaptedWeights weights(base(), adapter()); });
  }
  [[nodiscard]] std::vector<float> merged() const {
    const AdaptedWeights weights(base(), adapter());
    std::vector<float> values(6);
    std::memcpy(values.data(), weights.find("model.layers.0.q_proj.weight")->data, 24);
    return values;
  }

  static constexpr const char* prefix = "base_model.model.";
  const std::vector<float> q_{0, 1, 2, 3, 4, 5}, two_{1, -1}, three_{10, 20, 30};
  const std::vector<float> expected_{20, 41, 62, -17, -36, -55};  // W + 2·B·A by hand

 private:
  files::TemporaryFolder folder_;
};

TEST_F(SmallLora, EveryGenerationOfKeys) {
  write_config();
  for (const char* module : {"model.layers.0.q_proj", "model.language_model.layers.0.q_proj"}) {
    for (const char* name : {"", ".default"}) {
      write_tensors(tensors(module, name));
      EXPECT_EQ(merged(), expected_) << module << name;
    }
  }
  write_config({{"target_modules", "all-linear"}});
  EXPECT_EQ(merged(), expected_);
}

TEST_F(SmallLora, ScalesByAlphaRankAndPattern) {
  write_tensors({named(std::string(prefix) + "model.layers.0.q_proj.lora_A.weight", {4, 3},
                       std::vector<float>(12, 1)),
                 named(std::string(prefix) + "model.layers.0.q_proj.lora_B.weight", {2, 4},
                       std::vector<float>(8, 1))});
  write_config({{"r", 4}, {"lora_alpha", 8}});
  EXPECT_EQ(merged()[0], 0 + 8.0F / 4 * 4);
  write_config({{"r", 4}, {"lora_alpha", 8}, {"use_rslora", true}});
  EXPECT_EQ(merged()[0], 0 + 8.0F / 2 * 4);
  write_config(
      {{"r", 7}, {"rank_pattern", {{"q_proj", 4}}}, {"alpha_pattern", {{"layers.0.q_proj", 12}}}});
  EXPECT_EQ(merged()[0], 0 + 12.0F / 4 * 4);
}

TEST_F(SmallLora, TheTrainedCopyOfAModuleWins) {
  write_config({{"modules_to_save", {"embed_tokens"}}});
  const std::vector<float> plain(12, 1), original(12, 2), trained(12, 3);
  for (const char* infix : {".modules_to_save.default", ".modules_to_save"}) {
    auto all = tensors();
    const std::string module = std::string(prefix) + "model.language_model.embed_tokens";
    all.push_back(named(module + ".weight", {4, 3}, plain));
    all.push_back(named(module + ".base_layer.weight", {4, 3}, plain));  // sorts before the trained
    all.push_back(named(module + ".original_module.weight", {4, 3}, original));
    all.push_back(named(module + infix + ".weight", {4, 3}, trained));
    write_tensors(all);
    const AdaptedWeights weights(base(), adapter());
    float first = 0;
    std::memcpy(&first, weights.find("model.embed_tokens.weight")->data, 4);
    EXPECT_EQ(first, 3);
    EXPECT_EQ(weights.find("model.embed_tokens.weight")->extents[0], 4) << "a larger vocabulary";
  }
}

TEST_F(SmallLora, BiasesAndNewClassifierReplace) {
  write_config();
  auto all = tensors();
  all.push_back(named(std::string(prefix) + "model.layers.0.q_proj.base_layer.bias", {2}, two_));
  all.push_back(named(std::string(prefix) + "classifier.weight", {1, 3}, three_));
  write_tensors(all);
  const AdaptedWeights weights(base(), adapter());
  EXPECT_NE(weights.find("model.layers.0.q_proj.bias")->data,
            weights.base().find("model.layers.0.q_proj.bias")->data);
  EXPECT_TRUE(weights.find("classifier.weight"));
  const auto names = weights.names();
  EXPECT_NE(std::find(names.begin(), names.end(), "classifier.weight"), names.end());
}

TEST_F(SmallLora, ConfigRefusesByName) {  // row 62
  write_tensors(tensors());
  const std::vector<std::pair<json, const char*>> table{
      {{{"r", 0}}, "adapter_config.json: r 0: must be an integer from 1"},
      {{{"r", nullptr}}, "r absent"},
      {{{"lora_alpha", "NaN"}}, "lora_alpha \"NaN\": must be a number"},
      {{{"lora_alpha", -1}}, "lora_alpha -1"},
      {{{"peft_type", "IA3"}}, "peft_type \"IA3\": must be LORA"},
      {{{"use_dora", true}}, "use_dora true: must be false"},
      {{{"fan_in_fan_out", true}}, "fan_in_fan_out true"},
      {{{"trainable_token_indices", {1}}}, "trainable_token_indices"},
      {{{"target_modules", {"k_proj"}}}, "found a module that target_modules of"},
      {{{"modules_to_save", {"classifier"}}},
       "modules_to_save classifier: expected its tensors in the adapter, found none"},
      {{{"rank_pattern", {{"q_.*", 2}}}}, "rank_pattern \"q_.*\": must be a plain module name"},
      {{{"alpha_pattern", {{"q_proj", 1}, {"0.q_proj", 2}}}}, "must not overlap"},
      {{{"rank_pattern", {{"q_proj", 2}}}},
       "lora_A.weight: expected (2, 3) (rank, then what the weight takes in), found (1, 3)"},
  };
  for (const auto& [patch, fragment] : table) {
    write_config(patch);
    EXPECT_SAYS(says(), fragment);
  }
  files::write(adapter() / "adapter_config.json",
               "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": NaN}");
  EXPECT_SAYS(says(), "adapter_config.json: JSON error at byte");
  EXPECT_SAYS(says(), "after key lora_alpha");
}

TEST_F(SmallLora, TensorsRefuseByKeyFoundAndExpected) {  // row 62
  const std::string q = std::string(prefix) + "model.layers.0.q_proj";
  const auto a = [&](std::vector<Index> shape) {
    return named(q + ".lora_A.weight", std::move(shape), three_);
  };
  const auto b = [&](std::vector<Index> shape) {
    return named(q + ".lora_B.weight", std::move(shape), two_);
  };
  const std::vector<std::int64_t> ids{1, 2, 3};
  const std::vector<std::pair<std::vector<NamedTensor>, const char*>> table{
      {{a({3, 1}), b({1, 2})},
       "q_proj.lora_A.weight: expected (1, 3) (rank, then what the weight takes in), found (3, 1)"},
      {{a({1, 3}), b({1, 2})},
       "q_proj.lora_B.weight: expected (2, 1) (what the weight gives out, then rank), found (1, "
       "2)"},
      {{a({3}), b({2, 1})}, "found (3)"},
      {{a({1, 3})}, "q_proj.lora_A.weight: found alone, expected lora_B beside it"},
      {{b({2, 1})}, "q_proj.lora_B.weight: found alone, expected lora_A beside it"},
      {tensors("model.layers.9.q_proj"), "layers.9.q_proj.lora_A.weight: target not in the model"},
      {{named(q + ".lora_A.weight", {1, 3}, ids), b({2, 1})},
       "expected a floating-point type, found I64"},
      {{named(q + ".lora_embedding_A", {1, 3}, three_)}, "this kind of LoRA tensor is not built"},
      {{named(q + ".lora_magnitude_vector", {3}, three_)}, "this kind of LoRA tensor is not built"},
      {{a({1, 3}), b({2, 1}), named(q + ".lora_B.bias", {2}, two_)},
       "lora_B.bias: must be a weight"},
      {{a({1, 3}), b({2, 1}), named(q + ".lora_A.other.weight", {1, 3}, three_)}, "stands twice"},
      {{a({1, 3}), b({2, 1}), named(std::string(prefix) + "unknown.weight", {2}, two_)},
       "unknown.weight: target not in the model"},
      {{a({1, 3}), b({2, 1}), named(q + ".bias", {3}, three_)},
       "q_proj.bias: expected (2) (the base's shape), found (3)"},
      {{}, "found no tensors, expected LoRA weights"},
  };
  write_config();
  for (const auto& [content, fragment] : table) {
    write_tensors(content);
    EXPECT_SAYS(says(), fragment);
  }
  write_config({{"target_modules", {"absent_proj"}}});
  write_tensors({named(std::string(prefix) + "model.embed_tokens.weight", {2, 3}, q_)});
  EXPECT_SAYS(says(), "target_modules absent_proj: target not in the model");
  fs::remove(adapter() / "adapter_model.safetensors");
  EXPECT_SAYS(says(), "adapter_model.safetensors: no such file");
  files::write(adapter() / "adapter_model.bin", "PK");
  EXPECT_SAYS(says(), "only adapter_model.bin: this is a PyTorch pickle");
}

TEST_F(SmallLora, LargeMatricesDoNotDependOnThreadsOrBlocks) {
  constexpr std::size_t rows = 257, columns = 2500, rank = 8;
  std::vector<float> w(rows * columns), a(rank * columns), b(rows * rank);
  for (std::size_t at = 0; at < w.size(); ++at)
    w[at] = static_cast<float>(std::sin(0.37 * static_cast<double>(at)));
  for (std::size_t at = 0; at < a.size(); ++at)
    a[at] = static_cast<float>(std::cos(0.11 * static_cast<double>(at)));
  for (std::size_t at = 0; at < b.size(); ++at)
    b[at] = static_cast<float>(std::sin(0.23 * static_cast<double>(at)));
  write_safetensors(base() / "model.safetensors",
                    std::vector{named("model.layers.0.q_proj.weight", {rows, columns}, w)});
  write_tensors(
      {named(std::string(prefix) + "model.layers.0.q_proj.lora_A.weight", {rank, columns}, a),
       named(std::string(prefix) + "model.layers.0.q_proj.lora_B.weight", {rows, rank}, b)});
  write_config({{"r", rank}, {"lora_alpha", 4}});
  const AdaptedWeights weights(base(), adapter());
  std::vector<float> found(w.size());
  std::memcpy(found.data(), weights.find("model.layers.0.q_proj.weight")->data, 4 * w.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      double sum = 0;
      for (std::size_t k = 0; k < rank; ++k) {
        sum +=
            static_cast<double>(b[row * rank + k]) * static_cast<double>(a[k * columns + column]);
      }
      const double expected = static_cast<double>(w[row * columns + column]) + 0.5 * sum;
      ASSERT_NEAR(static_cast<double>(found[row * columns + column]), expected, 4e-6)
          << row << ", " << column;
    }
  }
}

}  // namespace
