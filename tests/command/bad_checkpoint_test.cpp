// SPDX-License-Identifier: Apache-2.0
// Rows 1 to 39 and 62 of docs/bad-input.md, through the command: a checkpoint that is broken
// in one place ends with exit code 3 and one line that says where. The unit tests know the details.
#include <limits>
#include <nlohmann/json.hpp>

#include "broken_model.hpp"

namespace command {
namespace {

constexpr const char* weights = "model.safetensors";
constexpr const char* shard = "model-00002-of-00003.safetensors";
constexpr const char* shard_index = "model.safetensors.index.json";

/// The weights file becomes these bytes.
Row file(int number, std::string name, std::string bytes, Words says) {
  return broken(
      number, std::move(name),
      [bytes = std::move(bytes)](const Site& site) { files::write(site.model / weights, bytes); },
      std::move(says));
}
/// The header of the weights file is changed, the data are not.
Row header(int number, std::string name, std::function<void(nlohmann::ordered_json&)> change,
           Words says) {
  return broken(
      number, std::move(name),
      [change = std::move(change)](const Site& site) {
        site.edit_tensors([&](Tensors& tensors) { change(tensors.header); });
      },
      std::move(says));
}
Row config(int number, std::string name, std::function<void(json&)> change, Words says) {
  return broken(
      number, std::move(name),
      [change = std::move(change)](const Site& site) { site.edit("config.json", change); },
      std::move(says));
}
Row tokenizer(int number, std::string name, std::function<void(json&)> change, Words says) {
  return broken(
      number, std::move(name),
      [change = std::move(change)](const Site& site) { site.edit("tokenizer.json", change); },
      std::move(says));
}
Row sharded(int number, std::string name, std::function<void(const Site&)> change, Words says) {
  return broken(number, std::move(name), std::move(change), std::move(says), "sharded-bf16");
}
Row adapter(std::string name, std::function<void(json&)> change, Words says) {
  return {62,
          std::move(name),
          "lora",
          [change = std::move(change)](const Site& site) {
            site.edit("adapter_config.json", change);
            return segment(tall, "the mug", site.model, site.out,
                           {"--response", "<|seg|>", "--base", goldens / "models/untied-gqa"});
          },
          3,
          std::move(says)};
}

/// Renames a key of the header, keeping everything else, also where the new name is taken.
std::string with_second_key(const fs::path& path, const std::string& key) {
  const Tensors tensors(path);
  std::string text = tensors.header.dump();
  const std::string first = "{\"__metadata__\"";
  text.insert(1, key + ":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},");
  return files::safetensors(text, 0) + tensors.data;
}

std::vector<Row> rows() {
  const std::string original = files::read(tied / weights);
  const std::string tensors = original.substr(8);
  const auto offsets = [](const char* name, json value) {
    return [name, value](nlohmann::ordered_json& h) { h[name]["data_offsets"] = value; };
  };
  const auto shape = [](const char* name, json value) {
    return [name, value](nlohmann::ordered_json& h) { h[name]["shape"] = value; };
  };
  const auto dtype = [](const char* value) {
    return [value](nlohmann::ordered_json& h) { h["model.norm.weight"]["dtype"] = value; };
  };
  return {
      file(1, "empty", "", {weights, "header too small", "0", "need 8"}),
      file(2, "seven_bytes", "1234567", {"header too small", "7", "need 8"}),
      file(3, "length_2_63", files::safetensors("{}", 0, std::uint64_t{1} << 63),
           {"header length 9223372036854775808 exceeds 100000000"}),
      file(3, "length_over", files::safetensors("{}", 0, 100'000'001),
           {"header length 100000001 exceeds 100000000"}),
      file(4, "length_beyond", files::safetensors("{}", 0, 1000),
           {"header length 1000 beyond end of file", "truncated download?"}),
      file(5, "header_not_utf8", files::safetensors("{\"a\xC3\x28\":1}", 0), {"not UTF-8 at byte"}),
      file(6, "header_not_json", files::safetensors("{\"a\":", 0), {"JSON error at byte"}),
      file(6, "header_deep", files::safetensors(std::string(100'000, '['), 0),
           {"nesting deeper than 32"}),
      file(7, "header_bom", files::safetensors("\xEF\xBB\xBF{}", 0),
           {"header is not a JSON object", "0xEF at 8"}),
      broken(8, "duplicate_name",
             [](const Site& s) {
               const std::string bytes =
                   with_second_key(s.model / weights, "\"model.norm.weight\"");
               files::write(s.model / weights, bytes);
             },
             {"duplicate key", "model.norm.weight"}),
      broken(8, "duplicate_name_escaped",
             [](const Site& s) {
               const std::string bytes =
                   with_second_key(s.model / weights, "\"\\u006dodel.norm.weight\"");
               files::write(s.model / weights, bytes);
             },
             {"duplicate key", "model.norm.weight"}),
      header(9, "dtype_unknown", dtype("F128"), {"F128", "model.norm.weight", "unknown"}),
      header(10, "dtype_unsupported", dtype("F4"), {"F4", "model.norm.weight", "supported"}),
      header(11, "shape_overflow", shape("model.norm.weight", {4294967296, 4294967296}),
             {"model.norm.weight", "overflow"}),
      header(12, "rank_9", shape("model.norm.weight", {1, 1, 1, 1, 1, 1, 1, 1, 32}),
             {"model.norm.weight", "rank 9 > 8"}),
      header(13, "shape_negative", shape("model.norm.weight", {-32}),
             {"model.norm.weight", "not a non-negative integer"}),
      header(13, "shape_fraction", shape("model.norm.weight", {1.5}),
             {"model.norm.weight", "not a non-negative integer"}),
      header(14, "offsets_overlap", offsets("classifier.weight", {0, 128}),
             {"classifier", "data_offsets", "expected to start at"}),
      header(15, "offsets_hole", [](nlohmann::ordered_json& h) { h.erase("model.norm.weight"); },
             {"data_offsets", "expected to start at 144132"}),
      header(16, "offsets_backwards", offsets("model.norm.weight", {144260, 144132}),
             {"model.norm.weight", "data_offsets"}),
      header(17, "three_offsets", offsets("model.norm.weight", {144132, 144260, 5}),
             {"model.norm.weight", "data_offsets"}),
      header(18, "size_mismatch", shape("model.norm.weight", {31}),
             {"model.norm.weight", "shape needs 124 bytes, offsets give 128"}),
      file(19, "trailing_bytes", original + "x", {"file has", "header describes"}),
      file(20, "cut_mid_tensor", original.substr(0, original.size() - 1000), {"truncated"}),
      header(21, "metadata_number",
             [](nlohmann::ordered_json& h) { h["__metadata__"]["format"] = 7; },
             {"metadata value for format must be a string"}),
      sharded(22, "shard_missing", [](const Site& s) { fs::remove(s.model / shard); },
              {shard, "missing", "tensors"}),
      sharded(23, "shard_outside",
              [](const Site& s) {
                s.edit(shard_index,
                       [](json& j) { j["weight_map"].begin().value() = "../../x.safetensors"; });
              },
              {"../../x.safetensors", "path escapes model folder"}),
      sharded(23, "shard_absolute",
              [](const Site& s) {
                s.edit(shard_index,
                       [](json& j) { j["weight_map"].begin().value() = "/etc/passwd"; });
              },
              {"/etc/passwd", "path escapes model folder"}),
      sharded(24, "wrong_shard",
              [](const Site& s) {
                s.edit(shard_index, [](json& j) {
                  json& place = j["weight_map"].begin().value();
                  place = place == shard ? "model-00003-of-00003.safetensors" : shard;
                });
              },
              {"model-0000"}),
      sharded(25, "total_size",
              [](const Site& s) {
                s.edit(shard_index, [](json& j) { j["metadata"]["total_size"] = 1; });
              },
              {"total_size"}),
      file(26, "git_lfs_pointer",
           "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4242\n",
           {"git-lfs pointer", "4242"}),
      file(27, "pickle", std::string("\x80\x02}q\x00.", 7), {"PyTorch pickle", "safetensors"}),
      file(27, "zip", std::string("PK\x03\x04") + std::string(64, '\0'), {"PyTorch pickle"}),
      config(28, "wrong_model",
             [](json& j) {
               j["text_config"]["hidden_size"] = 64;
               j["text_config"]["rope_scaling"]["mrope_section"] = {2, 2, 4};
               j["vision_config"]["hidden_size"] = 64;
             },
             {"visual.merger.mlp.2.weight shape (32, 96) expected (Hidden 64, Merged 96)",
              "hidden_size 64", "and 20 more"}),
      header(29, "classifier_missing",
             [](nlohmann::ordered_json& h) {
               h["classifier.other"] = h["classifier.weight"];
               h.erase("classifier.weight");
             },
             {"classifier", "[1, 32]"}),
      broken(29, "classifier_two_rows",
             [](const Site& s) {
               s.edit_tensors([](Tensors& t) { t.header["classifier.weight"]["shape"] = {2, 16}; });
             },
             {"classifier", "[1, 32]", "(2, 16)"}),
      broken(30, "nan_weight",
             [](const Site& s) {
               s.edit_tensors([](Tensors& t) {
                 t.set("model.layers.1.mlp.up_proj.weight", 7, std::nanf(""));
                 t.set("model.layers.1.mlp.up_proj.weight", 9, std::nanf(""));
               });
             },
             {"model.layers.1.mlp.up_proj.weight has 2 non-finite values, first at index 7",
              "language.layers.1"}),
      broken(30, "infinite_weight",
             [](const Site& s) {
               s.edit_tensors([](Tensors& t) {
                 t.set("visual.blocks.0.attn.proj.bias", 3, std::numeric_limits<float>::infinity());
               });
             },
             {"visual.blocks.0.attn.proj.bias has 1 non-finite values, first at index 3",
              "vision.blocks.0"}),
      broken(30, "nan_classifier",
             [](const Site& s) {
               s.edit_tensors([](Tensors& t) { t.set("classifier.bias", 0, std::nanf("")); });
             },
             {"classifier.bias has 1 non-finite values, first at index 0", "mask"}),
      config(32, "hidden_size_0", [](json& j) { j["text_config"]["hidden_size"] = 0; },
             {"config.json", "hidden_size", "0"}),
      config(32, "hidden_size_negative", [](json& j) { j["text_config"]["hidden_size"] = -32; },
             {"config.json", "hidden_size", "-32"}),
      config(32, "hidden_size_huge", [](json& j) { j["text_config"]["hidden_size"] = 1LL << 60; },
             {"config.json", "hidden_size", "1152921504606846976"}),
      config(32, "hidden_size_absent", [](json& j) { j["text_config"].erase("hidden_size"); },
             {"config.json", "hidden_size"}),
      config(32, "heads_do_not_divide",
             [](json& j) { j["text_config"]["num_attention_heads"] = 5; },
             {"config.json", "num_attention_heads", "5"}),
      config(32, "kv_heads_do_not_divide",
             [](json& j) { j["text_config"]["num_key_value_heads"] = 3; },
             {"config.json", "num_key_value_heads", "3"}),
      config(32, "rope_theta_0", [](json& j) { j["text_config"]["rope_theta"] = 0; },
             {"config.json", "rope_theta", "0"}),
      config(32, "mrope_section_sum",
             [](json& j) { j["text_config"]["rope_scaling"]["mrope_section"] = {1, 1, 3}; },
             {"config.json", "mrope_section", "4"}),
      config(32, "special_beyond_vocabulary", [](json& j) { j["image_token_id"] = 5000; },
             {"5000"}),
      broken(33, "config_5_mib",
             [](const Site& s) {
               const std::string text = files::read(s.model / "config.json");
               files::write(s.model / "config.json", text + std::string(5U << 20U, ' '));
             },
             {"config", "larger than 4 MiB"}),
      broken(
          33, "config_deep",
          [](const Site& s) { files::write(s.model / "config.json", std::string(1'000'000, '[')); },
          {"config", "nesting deeper than 32"}),
      tokenizer(34, "no_seg",
                [](json& j) {
                  for (json& token : j["added_tokens"]) {
                    if (token["content"] == "<|seg|>") token["content"] = "<|gone|>";
                  }
                },
                {"tokenizer.json", "<|seg|>"}),
      tokenizer(34, "no_mask",
                [](json& j) {
                  for (json& token : j["added_tokens"]) {
                    if (token["content"] == "<|mask|>") token["content"] = "<|gone|>";
                  }
                },
                {"tokenizer.json", "<|mask|>"}),
      tokenizer(35, "ids_not_unique", [](json& j) { j["model"]["vocab"]["\""] = 0; },
                {"tokenizer.json", "0"}),
      tokenizer(36, "merge_not_in_vocabulary",
                [](json& j) { j["model"]["merges"][1] = {"zz", "qqq"}; },
                {"tokenizer.json", "merge", "zz", "1"}),
      tokenizer(37, "merge_too_long",
                [](json& j) {
                  j["model"]["merges"][1] = {std::string(5000, 'a'), std::string(5000, 'b')};
                },
                {"tokenizer.json", "merge"}),
      tokenizer(38, "vocabulary_of_600000",
                [](json& j) {
                  for (int id = 1000; id < 601'000; ++id) {
                    j["model"]["vocab"]["w" + std::to_string(id)] = id;
                  }
                },
                {"tokenizer.json", "500000"}),
      tokenizer(39, "vocabulary_over_embedding",
                [](json& j) {
                  for (int id = 318; id < 330; ++id) {
                    j["added_tokens"].push_back(j["added_tokens"][0]);
                    j["added_tokens"].back()["id"] = id;
                    j["added_tokens"].back()["content"] = "<|more" + std::to_string(id) + "|>";
                  }
                },
                {"tokenizer.json", "embedding", "321", "330"}),
      broken(58, "no_such_folder", [](const Site& s) { fs::remove_all(s.model); },
             {"tied", "no such folder"}),
      broken(58, "weights_are_a_directory",
             [](const Site& s) {
               fs::remove(s.model / weights);
               fs::create_directory(s.model / weights);
             },
             {weights, "not a regular file"}),
      broken(58, "weights_are_a_fifo",
             [](const Site& s) {
               fs::remove(s.model / weights);
               ::mkfifo((s.model / weights).c_str(), 0644);
             },
             {weights, "not a regular file"}),
      broken(58, "weights_are_dev_zero",
             [](const Site& s) {
               fs::remove(s.model / weights);
               fs::create_symlink("/dev/zero", s.model / weights);
             },
             {weights, "not a regular file"}),
      broken(58, "config_is_a_fifo",
             [](const Site& s) {
               fs::remove(s.model / "config.json");
               ::mkfifo((s.model / "config.json").c_str(), 0644);
             },
             {"config.json", "not a regular file"}),
      broken(58, "tokenizer_is_a_loop",
             [](const Site& s) {
               fs::remove(s.model / "tokenizer.json");
               fs::create_symlink("tokenizer.json", s.model / "tokenizer.json");
             },
             {"tokenizer.json"}),
      adapter("rank_0", [](json& j) { j["r"] = 0; }, {"adapter_config.json", "r 0"}),
      adapter("alpha_text", [](json& j) { j["lora_alpha"] = "NaN"; },
              {"adapter_config.json", "lora_alpha", "NaN"}),
      adapter("target_unknown", [](json& j) { j["target_modules"] = {"no_such_proj"}; }, {"lora"}),
      adapter("rank_of_another", [](json& j) { j["r"] = 5; }, {"expected", "5", "4"}),
      {62,
       "base_missing",
       "lora",
       [](const Site& s) {
         s.edit("adapter_config.json", [](json& j) { j["base_model_name_or_path"] = "../none"; });
         return segment(tall, "the mug", s.model, s.out);
       },
       3,
       {"../none", "--base"}},
  };
}

class BadCheckpoint : public testing::TestWithParam<Row> {};
TEST_P(BadCheckpoint, IsRefusedInOneLine) { expect_row(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, BadCheckpoint, testing::ValuesIn(rows()), name_of);

TEST(GoodCheckpoint, MayPadItsHeaderInFront) {
  const Site site;
  const Tensors tensors(site.model / weights);
  files::write(site.model / weights,
               files::safetensors("  \n" + tensors.header.dump(), 0) + tensors.data);
  expect_success(run(segment(tall, "the mug", site.model, site.out)));
}

TEST(GoodCheckpoint, WithASilentNormIsWarnedOf) {
  const Site site;
  site.edit_tensors([](Tensors& tensors) {
    for (std::size_t at = 0; at < 32; ++at) {
      tensors.set("model.layers.1.input_layernorm.weight", at, at % 2 == 0 ? 0.0F : -0.0F);
    }
  });
  const Ended ended = run(segment(tall, "the mug", site.model, site.out));
  expect_success(ended);
  EXPECT_EQ(ended.err,
            "stamp: warning: model.layers.1.input_layernorm.weight: all 32 values are zero\n");
}

}  // namespace
}  // namespace command
