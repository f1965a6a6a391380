// SPDX-License-Identifier: Apache-2.0
// config.json in its generations, and docs/bad-input.md, rows 32 and 33, as data.
#include <random>
#include <stamp/checkpoint/config.hpp>
#include <stamp/checkpoint/generation_config.hpp>
#include <stamp/checkpoint/json.hpp>
#include <stamp/checkpoint/preprocessor_config.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

using nlohmann::json;
using stamp::Index;
using stamp::checkpoint::parse_config;

/// The published 2B file, as transformers 4.45 wrote it.
json flat() {
  return json::parse(R"({
    "architectures": ["Qwen2VLForConditionalGeneration"], "attention_dropout": 0.0,
    "bos_token_id": 151643, "eos_token_id": 151645, "vision_start_token_id": 151652,
    "vision_end_token_id": 151653, "vision_token_id": 151654, "image_token_id": 151655,
    "video_token_id": 151656, "hidden_act": "silu", "hidden_size": 1536, "initializer_range": 0.02,
    "intermediate_size": 8960, "max_position_embeddings": 32768, "max_window_layers": 28,
    "model_type": "qwen2_vl", "num_attention_heads": 12, "num_hidden_layers": 28,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers_version": "4.41.2", "use_cache": true, "use_sliding_window": false,
    "vision_config": {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "in_chans": 3,
      "hidden_size": 1536, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14,
      "temporal_patch_size": 2},
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "vocab_size": 151936})");
}

/// The same model as newer versions write it.
json nested() {
  json file = flat();
  json text = {{"model_type", "qwen2_vl_text"}, {"dtype", "bfloat16"}};
  for (const char* name :
       {"hidden_act", "hidden_size", "intermediate_size", "max_position_embeddings",
        "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "rms_norm_eps",
        "rope_theta", "tie_word_embeddings", "use_sliding_window", "vocab_size"}) {
    text[name] = file[name];
    file.erase(name);
  }
  text["rope_scaling"] = {
      {"type", "default"}, {"rope_type", "default"}, {"mrope_section", {16, 24, 24}}};
  text["layer_types"] = json::array({"full_attention", "full_attention"});
  for (const char* name : {"rope_scaling", "torch_dtype"}) file.erase(name);
  file["dtype"] = "float32";
  file["text_config"] = text;
  return file;
}

void expect_2b(const json& file) {
  const auto config = parse_config(file, "config.json");
  EXPECT_EQ(config.text.hidden_size, 1536);
  EXPECT_EQ(config.text.intermediate_size, 8960);
  EXPECT_EQ(config.text.num_hidden_layers, 28);
  EXPECT_EQ(config.text.num_attention_heads, 12);
  EXPECT_EQ(config.text.num_key_value_heads, 2);
  EXPECT_EQ(config.text.head_dim(), 128);
  EXPECT_EQ(config.text.vocab_size, 151936);
  EXPECT_EQ(config.text.max_position_embeddings, 32768);
  EXPECT_EQ(config.text.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.text.rope_theta, 1e6);
  EXPECT_EQ(config.text.mrope_section, (std::array<Index, 3>{16, 24, 24}));
  EXPECT_TRUE(config.text.tie_word_embeddings);
  EXPECT_EQ(config.stored_type, "bfloat16");
  EXPECT_EQ(config.vision.depth, 32);
  EXPECT_EQ(config.vision.mlp_hidden, 5120);
  EXPECT_EQ(config.vision.head_dim(), 80);
  EXPECT_EQ(config.vision.patch_length(), 1176);
  EXPECT_EQ(config.tokens.image_pad, 151655);
  EXPECT_EQ(config.tokens.vision_start, 151652);
  EXPECT_EQ(config.tokens.vision_end, 151653);
  EXPECT_EQ(config.tokens.seg, -1);
}

TEST(Config, AllGenerationsOfTheFile) {
  expect_2b(flat());
  expect_2b(nested());
  json five = nested();  // transformers 5: rope_parameters hold rope_theta, too
  five["text_config"].erase("rope_scaling");
  five["text_config"].erase("rope_theta");
  five["text_config"]["rope_parameters"] = {
      {"rope_type", "default"}, {"rope_theta", 1e6}, {"mrope_section", {16, 24, 24}}};
  expect_2b(five);
  json variant = flat();
  variant["architectures"] = {"SegQwen2VLForConditionalGeneration"};
  variant["model_type"] = "stamp";
  expect_2b(variant);
  json outside = nested();  // tied at the outer level only
  outside["text_config"].erase("tie_word_embeddings");
  outside["tie_word_embeddings"] = true;
  expect_2b(outside);
  json theta = flat();
  theta["rope_theta"] = 1000000;
  expect_2b(theta);
}

TEST(Config, WhatAFileMayLeaveOut) {
  json file = flat();
  for (const char* name : {"rms_norm_eps", "rope_theta", "torch_dtype", "tie_word_embeddings",
                           "max_position_embeddings", "image_token_id", "hidden_act"}) {
    file.erase(name);
  }
  const auto config = parse_config(file, "config.json");
  EXPECT_EQ(config.text.rms_norm_eps, 1e-5) << "the class's default, not the published value";
  EXPECT_FALSE(config.text.tie_word_embeddings);
  EXPECT_EQ(config.stored_type, "float32");
  EXPECT_EQ(config.tokens.image_pad, -1);
}

struct Bad {
  json patch;  ///< merged over the flat file; null removes a field
  const char* says;
};

std::vector<Bad> bad_configs() {
  std::vector<Bad> table{
      {{{"hidden_size", 1537}}, "num_attention_heads 12: must divide hidden_size 1537"},
      {{{"num_key_value_heads", 5}}, "num_key_value_heads 5: must divide num_attention_heads 12"},
      {{{"num_key_value_heads", 24}}, "num_key_value_heads 24: must divide num_attention_heads 12"},
      {{{"hidden_size", 12 * 127}}, "must be even"},
      {{{"head_dim", 64}}, "head_dim 64: must be hidden_size/num_attention_heads = 128"},
      {{{"vocab_size", 1000}}, "image_token_id 151655: must be below vocab_size 1000"},
      {{{"rope_theta", 0}}, "rope_theta 0: must be a number from 1.0"},
      {{{"rope_theta", "NaN"}}, "rope_theta \"NaN\""},
      {{{"rope_scaling", nullptr}}, "rope_scaling absent"},
      {{{"rope_scaling", {{"mrope_section", nullptr}}}}, "mrope_section absent"},
      {{{"rope_scaling", {{"mrope_section", {16, 24}}}}},
       "mrope_section absent: must be three integers"},
      {{{"rope_scaling", {{"mrope_section", {16, 24, 25}}}}},
       "mrope_section [16,24,25]: sum 65 must be head_dim/2 = 64"},
      {{{"rope_scaling", {{"mrope_section", {-16, 40, 40}}}}}, "mrope_section -16"},
      {{{"rope_scaling", {{"type", "yarn"}}}}, "type \"yarn\": must be mrope or default"},
      {{{"rope_scaling", {{"rope_type", "linear"}}}},
       "rope_type \"linear\": must be mrope or default"},
      {{{"rms_norm_eps", 0}}, "rms_norm_eps 0: must be a number from"},
      {{{"rms_norm_eps", -1e-6}}, "rms_norm_eps -1e-06"},
      {{{"hidden_act", "gelu"}}, "hidden_act \"gelu\": must be silu"},
      {{{"use_sliding_window", true}}, "use_sliding_window true: must be false"},
      {{{"layer_types", {"sliding_attention"}}},
       "layer_types \"sliding_attention\": must be full_attention"},
      {{{"model_type", "llama"}, {"architectures", nullptr}},
       "model_type \"llama\": must be qwen2_vl"},
      {{{"model_type", nullptr}, {"architectures", nullptr}}, "model_type absent"},
      {{{"torch_dtype", "int4"}}, "torch_dtype \"int4\": must be float32"},
      {{{"vision_config", nullptr}}, "vision_config absent"},
      {{{"vision_config", 3}}, "vision_config: must be a JSON object"},
      {{{"vision_config", {{"num_heads", 7}}}}, "num_heads 7: must divide embed_dim 1280"},
      {{{"vision_config", {{"num_heads", 640}}}}, "must be a multiple of 4"},
      {{{"vision_config", {{"hidden_size", 3584}}}},
       "hidden_size 3584: must be the language model's hidden_size 1536"},
      {{{"vision_config", {{"hidden_act", "gelu"}}}}, "hidden_act \"gelu\": must be quick_gelu"},
      {{{"vision_config", {{"in_channels", 4}}}}, "in_channels 4"},
      {{{"vision_config", {{"mlp_ratio", 0}}}}, "mlp_ratio 0"},
      {{{"tie_word_embeddings", 1}}, "tie_word_embeddings 1: must be true or false"},
      {{{"image_token_id", -2}}, "image_token_id -2"},
      {{{"text_config", {1}}}, "text_config: must be a JSON object, found array"},
  };
  return table;
}

TEST(Config, RefusesEveryRowOfTheTable) {
  for (const Bad& bad : bad_configs()) {
    json file = flat();
    file.merge_patch(bad.patch);
    const std::string sentence =
        files::failure_of([&] { (void)parse_config(file, "config.json"); });
    EXPECT_SAYS(sentence, bad.says);
    EXPECT_SAYS(sentence, "config.json: ");
  }
}

TEST(Config, SizesAreAbsentZeroNegativeHugeOrNoNumbers) {
  const std::vector<json> values{nullptr,    0,   -1,   std::int64_t{1} << 40,
                                 UINT64_MAX, 1.5, "12", json::array()};
  for (const char* name : {"hidden_size", "intermediate_size", "num_hidden_layers",
                           "num_attention_heads", "num_key_value_heads", "vocab_size"}) {
    for (const json& value : values) {
      json file = flat();
      file.merge_patch({{name, value}});
      EXPECT_SAYS(files::failure_of([&] { (void)parse_config(file, "config.json"); }),
                  std::string("config.json: ") + name + " ");
    }
  }
  for (const char* name : {"depth", "embed_dim", "num_heads", "hidden_size", "patch_size",
                           "temporal_patch_size", "spatial_merge_size"}) {
    for (const json& value : values) {
      if (value.is_null()) continue;  // transformers leaves defaults out
      json file = flat();
      file["vision_config"][name] = value;
      EXPECT_SAYS(files::failure_of([&] { (void)parse_config(file, "config.json"); }),
                  std::string("config.json: vision_config: ") + name + " ");
    }
  }
}

TEST(Config, FileTooLargeOrTooDeep) {  // row 33
  const files::TemporaryFolder folder;
  const auto path = files::write(folder / "config.json", "{");
  std::filesystem::resize_file(path, std::uintmax_t{2} << 30);
  EXPECT_SAYS(files::failure_of([&] { (void)stamp::checkpoint::read_config(path); }),
              "config.json: larger than 4 MiB");
  files::write(path, "{\"a\":" + std::string(1'000'000, '['));
  EXPECT_SAYS(files::failure_of([&] { (void)stamp::checkpoint::read_config(path); }),
              "nesting deeper than 32");
}

TEST(Config, TenThousandBitFlips) {  // docs/bad-input.md, fault 16
  const std::string original = nested().dump();
  std::mt19937 random(32);
  int parsed = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string text = original;
    const std::size_t bit = random() % (8 * text.size());
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    try {
      const auto config =
          parse_config(stamp::checkpoint::parse_json(text, "config.json"), "config.json");
      ASSERT_EQ(config.text.hidden_size % config.text.num_attention_heads, 0);
      ASSERT_EQ(config.vision.hidden_size, config.text.hidden_size);
      ++parsed;  // the flip hit a field that nobody reads, or made another sound value
    } catch (const stamp::Error& error) {
      ASSERT_EQ(error.fault(), stamp::Fault::input);
    }
  }
  EXPECT_GT(parsed, 500);
  EXPECT_LT(parsed, 9'000);
}

TEST(GenerationConfig, ReadsDefaultsListsAndRefuses) {
  using stamp::checkpoint::parse_generation_config;
  const files::TemporaryFolder folder;
  const auto none = stamp::checkpoint::read_generation_config(folder / "generation_config.json");
  EXPECT_FALSE(none.do_sample);
  EXPECT_EQ(none.top_k, 50);
  EXPECT_TRUE(none.eos_token_ids.empty());
  const auto released = parse_generation_config(
      json::parse(R"({"bos_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
                      "repetition_penalty": 1.05, "temperature": 0.01, "top_p": 0.001, "top_k": 1})"),
      "g");
  EXPECT_TRUE(released.do_sample);
  EXPECT_EQ(released.temperature, 0.01);
  EXPECT_EQ(released.top_p, 0.001);
  EXPECT_EQ(released.top_k, 1);
  EXPECT_EQ(released.repetition_penalty, 1.05);
  EXPECT_EQ(released.eos_token_ids, (std::vector<Index>{151645, 151643}));
  EXPECT_EQ(parse_generation_config({{"eos_token_id", 7}}, "g").eos_token_ids,
            std::vector<Index>{7});
  for (const Bad& bad : std::vector<Bad>{{{{"temperature", -1}}, "temperature -1"},
                                         {{{"top_p", 1.5}}, "top_p 1.5"},
                                         {{{"top_k", -1}}, "top_k -1"},
                                         {{{"repetition_penalty", 0}}, "repetition_penalty 0"},
                                         {{{"do_sample", "yes"}}, "do_sample \"yes\""},
                                         {{{"eos_token_id", {1, -1}}}, "eos_token_id -1"}}) {
    EXPECT_SAYS(files::failure_of([&] { (void)parse_generation_config(bad.patch, "g"); }),
                bad.says);
  }
}

TEST(PreprocessorConfig, ReadsDefaultsBothSpellingsAndRefuses) {
  using stamp::checkpoint::parse_preprocessor_config;
  const stamp::qwen2_vl::VisionConfig vision;
  const files::TemporaryFolder folder;
  const auto none =
      stamp::checkpoint::read_preprocessor_config(folder / "preprocessor_config.json", vision);
  EXPECT_EQ(none.min_pixels, 802816);
  EXPECT_EQ(none.max_pixels, 1003520);
  const auto size = parse_preprocessor_config(
      {{"size", {{"shortest_edge", 3136}, {"longest_edge", 12845056}}}}, "p", vision);
  EXPECT_EQ(size.min_pixels, 3136);
  EXPECT_EQ(size.max_pixels, 12845056);
  const auto both =
      parse_preprocessor_config({{"size", {{"shortest_edge", 3136}, {"longest_edge", 12845056}}},
                                 {"min_pixels", 784},
                                 {"max_pixels", 1568}},
                                "p", vision);
  EXPECT_EQ(both.min_pixels, 784) << "min_pixels wins, as in transformers";
  EXPECT_EQ(both.max_pixels, 1568);
  const auto mean = parse_preprocessor_config(
      {{"image_mean", {0.5, 0.25, 1}}, {"rescale_factor", 0.5}}, "p", vision);
  EXPECT_EQ(mean.image_mean, (std::array<double, 3>{0.5, 0.25, 1}));
  EXPECT_EQ(mean.rescale_factor, 0.5);
  for (const Bad& bad :
       std::vector<Bad>{{{{"min_pixels", 0}}, "min_pixels 0"},
                        {{{"min_pixels", 100}, {"max_pixels", 99}},
                         "max_pixels 99: must be at least min_pixels 100"},
                        {{{"patch_size", 16}}, "patch_size 16: must be 14 as in config.json"},
                        {{{"merge_size", 1}}, "merge_size 1: must be 2"},
                        {{{"image_std", {0, 1, 1}}}, "image_std 0"},
                        {{{"image_mean", {1, 1}}}, "image_mean [1,1]: must be three numbers"},
                        {{{"do_resize", false}}, "do_resize false: must be true"},
                        {{{"resample", 2}}, "resample 2"}}) {
    EXPECT_SAYS(files::failure_of([&] { (void)parse_preprocessor_config(bad.patch, "p", vision); }),
                bad.says);
  }
}

}  // namespace
