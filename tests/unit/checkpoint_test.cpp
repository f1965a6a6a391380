// SPDX-License-Identifier: Apache-2.0
// Whole folders: full checkpoints, adapters, what is missing, and docs/bad-input.md, rows 28
// to 31; fault 16.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <stamp/checkpoint/check_tensors.hpp>
#include <stamp/checkpoint/folder.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/checkpoint/scan.hpp>
#include <stamp/model/stamp/model.hpp>
#include <stamp/reference/engine.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using stamp::Index;
using stamp::checkpoint::NamedTensor;
using stamp::checkpoint::open_checkpoint;

const fs::path goldens = fs::path(STAMP_SOURCE_DIR) / "tests/goldens/lora";

using TinyStamp = stamp::Stamp<stamp::reference::Engine<float>>;

/// What stamp::load does before it reads a weight.
void open_and_check(const fs::path& folder, const fs::path& base) {
  const auto checkpoint = open_checkpoint(folder, base);
  stamp::checkpoint::check_tensors(
      checkpoint.config, expected_tensors(TinyStamp(checkpoint.config)), *checkpoint.weights);
}

std::string open_failure(const fs::path& folder, const fs::path& base = {},
                         stamp::Fault fault = stamp::Fault::input) {
  return files::failure_of([&] { open_and_check(folder, base); }, fault);
}

/// A copy of the golden base as one file, its tensors bent by `change`.
void write_base(
    const fs::path& folder,
    const std::function<void(std::vector<NamedTensor>&)>& change = [](auto&) {}) {
  fs::create_directories(folder);
  fs::copy_file(goldens / "base/config.json", folder / "config.json",
                fs::copy_options::overwrite_existing);
  const stamp::checkpoint::CheckpointWeights weights(goldens / "base");
  std::vector<NamedTensor> tensors;
  for (const std::string& name : weights.names()) {
    const auto tensor = *weights.find(name);
    tensors.push_back({name,
                       tensor.type,
                       {tensor.shape().begin(), tensor.shape().end()},
                       {tensor.data, static_cast<std::size_t>(tensor.bytes())}});
  }
  change(tensors);
  write_safetensors(folder / "model.safetensors", tensors);
}
NamedTensor& find(std::vector<NamedTensor>& tensors, const std::string& name) {
  return *std::find_if(tensors.begin(), tensors.end(),
                       [&](const auto& tensor) { return tensor.name == name; });
}
void drop(std::vector<NamedTensor>& tensors, const std::string& name) {
  std::erase_if(tensors, [&](const auto& tensor) { return tensor.name == name; });
}

TEST(Checkpoint, OpensAShardedFolderOfTransformers) {
  const auto checkpoint = open_checkpoint(goldens / "base");
  EXPECT_EQ(checkpoint.config.text.vocab_size, 40);
  EXPECT_EQ(checkpoint.config.stored_type, "bfloat16");
  EXPECT_FALSE(checkpoint.config.text.tie_word_embeddings);
  EXPECT_EQ(checkpoint.preprocessor.patch_size, 4) << "from config.json where there is no file";
  EXPECT_EQ(checkpoint.weights->base().files().size(), 2U);
  const auto expected = expected_tensors(TinyStamp(checkpoint.config));
  EXPECT_EQ(expected.size(), checkpoint.weights->names().size()) << "every tensor has its use";
  for (const auto& tensor : expected) {
    EXPECT_NO_THROW(
        stamp::checkpoint::check_finite(tensor.name, *checkpoint.weights->find(tensor.name)));
  }
}

TEST(Checkpoint, OpensAnAdapterAndItsBase) {
  const auto checkpoint = open_checkpoint(goldens / "adapter");
  EXPECT_EQ(checkpoint.config.text.vocab_size, 36) << "the adapter's embedding has the last word";
  EXPECT_TRUE(fs::equivalent(checkpoint.base, goldens / "base"));
  const auto given = open_checkpoint(goldens / "adapter", goldens / "base");
  EXPECT_EQ(given.base, goldens / "base");
}

TEST(Checkpoint, NearestFilesWin) {
  const files::TemporaryFolder folder;
  write_base(folder / "base");
  fs::copy(goldens / "adapter", folder / "adapter");
  files::write(folder / "base/tokenizer.json", "{}");
  files::write_json(folder / "base/generation_config.json", {{"top_k", 1}});
  EXPECT_EQ(open_checkpoint(folder / "adapter").tokenizer_folder, folder / "adapter" / "../base");
  EXPECT_EQ(open_checkpoint(folder / "adapter").generation.top_k, 1);
  files::write(folder / "adapter/tokenizer.json", "{}");
  files::write_json(folder / "adapter/generation_config.json", {{"top_k", 2}});
  EXPECT_EQ(open_checkpoint(folder / "adapter").tokenizer_folder, folder / "adapter");
  EXPECT_EQ(open_checkpoint(folder / "adapter").generation.top_k, 2);
}

TEST(Checkpoint, FoldersThatAreNone) {
  const files::TemporaryFolder folder;
  EXPECT_SAYS(open_failure(folder / "absent"), "absent: no such folder");
  EXPECT_SAYS(open_failure(files::write(folder / "file", "x")), "file: not a folder");
  fs::create_directories(folder / "empty");
  EXPECT_SAYS(open_failure(folder / "empty"), "empty: empty folder, expected config.json");
  fs::create_directories(folder / "bare");
  files::write(folder / "bare/README.md", "x");
  EXPECT_SAYS(open_failure(folder / "bare"), "config.json: no such file");
  fs::copy_file(goldens / "base/config.json", folder / "bare/config.json");
  EXPECT_SAYS(open_failure(folder / "bare"),
              "no model.safetensors and no model.safetensors.index.json");
}

TEST(Checkpoint, BasesThatAreNone) {
  const files::TemporaryFolder folder;
  fs::copy(goldens / "adapter", folder / "adapter");
  const auto config = folder / "adapter" / "adapter_config.json";
  json adapter = json::parse(files::read(config));
  for (const char* name : {"Qwen/Qwen2-VL-7B-Instruct", "/absent/base", ""}) {
    adapter["base_model_name_or_path"] = name;
    files::write_json(config, adapter);
    EXPECT_SAYS(open_failure(folder / "adapter"),
                std::string("base_model_name_or_path ") + name +
                    ": no such folder, give the base checkpoint with --base");
  }
  EXPECT_NO_THROW((void)open_checkpoint(folder / "adapter", goldens / "base"));
  adapter["base_model_name_or_path"] = goldens / "base";  // absolute
  files::write_json(config, adapter);
  EXPECT_NO_THROW((void)open_checkpoint(folder / "adapter"));
  EXPECT_SAYS(open_failure(folder / "adapter", goldens / "adapter"), "is an adapter itself");
  EXPECT_SAYS(open_failure(folder / "adapter", folder / "absent"), "absent: no such folder");
  EXPECT_SAYS(open_failure(goldens / "base", goldens / "base", stamp::Fault::usage),
              "is no adapter, so --base");
}

TEST(Checkpoint, RightFileWrongModel) {  // row 28
  const files::TemporaryFolder folder;
  write_base(folder.path());
  json config = json::parse(files::read(folder / "config.json"));
  config["text_config"]["hidden_size"] = 32;
  config["text_config"]["rope_scaling"]["mrope_section"] = {4, 2, 2};
  config["vision_config"]["hidden_size"] = 32;
  files::write_json(folder / "config.json", config);
  const std::string sentence = open_failure(folder.path());
  EXPECT_SAYS(sentence, "model.embed_tokens.weight shape (40, 16) expected (Vocab 40, Hidden 32)");
  EXPECT_SAYS(sentence, "(hidden_size 32)");
  EXPECT_SAYS(sentence, "; and ");
  EXPECT_SAYS(sentence, " more");
  EXPECT_EQ(std::count(sentence.begin(), sentence.end(), ';'), 20) << "20 tensors, then the rest";
}

TEST(Checkpoint, MissingTensorsAndForeignTypes) {
  const files::TemporaryFolder folder;
  write_base(folder.path(), [](auto& tensors) {
    drop(tensors, "model.norm.weight");
    drop(tensors, "visual.merger.ln_q.bias");
    auto& up = find(tensors, "model.layers.0.mlp.up_proj.weight");
    up.type = stamp::ElementType::int32;
    up.shape = {24, 16};
    static const std::array<int, 384> integers{};
    up.bytes = std::as_bytes(std::span(integers));
  });
  const std::string sentence = open_failure(folder.path());
  EXPECT_SAYS(sentence, "model.norm.weight missing, expected (Hidden 16)");
  EXPECT_SAYS(sentence, "visual.merger.ln_q.bias missing, expected (VisionHidden 8)");
  EXPECT_SAYS(sentence, "dtype I32 of model.layers.0.mlp.up_proj.weight unsupported");
}

TEST(Checkpoint, ClassifierMustBeOneLineWithBias) {  // row 29
  const files::TemporaryFolder folder;
  write_base(folder.path(), [](auto& tensors) { drop(tensors, "classifier.bias"); });
  EXPECT_SAYS(open_failure(folder.path()),
              "classifier must be [1, 16] with bias; found weight (1, 16), bias none");
  write_base(folder.path(), [](auto& tensors) { drop(tensors, "classifier.weight"); });
  EXPECT_SAYS(open_failure(folder.path()),
              "classifier must be [1, 16] with bias; found weight none, bias (1)");
  const std::vector<float> wide(32);
  write_base(folder.path(), [&](auto& tensors) {
    drop(tensors, "classifier.weight");
    tensors.push_back(stamp::checkpoint::named("classifier.weight", {2, 16}, wide));
  });
  EXPECT_SAYS(open_failure(folder.path()),
              "classifier must be [1, 16] with bias; found weight (2, 16), bias (1)");
}

TEST(Checkpoint, TheEmbeddingsRowsAreTheVocabulary) {
  const files::TemporaryFolder folder;
  const std::vector<float> rows(33 * 16), head(40 * 16);
  const auto resize = [&](Index count) {
    return [&rows, count](auto& tensors) {
      for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"}) {
        drop(tensors, name);
        tensors.push_back(stamp::checkpoint::named(
            name, {count, 16}, std::span(rows).first(static_cast<std::size_t>(count) * 16)));
      }
    };
  };
  write_base(folder.path(), resize(33));  // config.json still says 40
  EXPECT_EQ(open_checkpoint(folder.path()).config.text.vocab_size, 33);
  write_base(folder.path(), resize(30));  // image_token_id is 30
  EXPECT_SAYS(open_failure(folder.path()),
              "model.embed_tokens.weight: has 30 rows, config.json names token 30");
  write_base(folder.path(), [&](auto& tensors) {
    resize(33)(tensors);
    drop(tensors, "lm_head.weight");
    tensors.push_back(stamp::checkpoint::named("lm_head.weight", {40, 16}, head));
  });
  EXPECT_SAYS(open_failure(folder.path()),
              "lm_head.weight shape (40, 16) expected (Vocab 33, Hidden 16)");
}

/// A tied base and an adapter that replaces the embedding, measured with peft 0.18.
TEST(Checkpoint, TiedHeadsFollowPeft) {
  const files::TemporaryFolder folder;
  write_base(folder / "base", [](auto& tensors) { drop(tensors, "lm_head.weight"); });
  json config = json::parse(files::read(folder / "base/config.json"));
  config["text_config"]["tie_word_embeddings"] = true;
  files::write_json(folder / "base/config.json", config);
  EXPECT_TRUE(open_checkpoint(folder / "base").config.text.tie_word_embeddings);

  fs::create_directories(folder / "adapter");
  json adapter = {{"peft_type", "LORA"},
                  {"r", 1},
                  {"lora_alpha", 1},
                  {"base_model_name_or_path", "../base"},
                  {"modules_to_save", {"embed_tokens"}}};
  files::write_json(folder / "adapter/adapter_config.json", adapter);
  const std::vector<float> trained(40 * 16, 1.0F);
  const auto embedding =
      stamp::checkpoint::named("base_model.model.model.embed_tokens.weight", {40, 16}, trained);
  const auto head = stamp::checkpoint::named("base_model.model.lm_head.weight", {40, 16}, trained);
  write_safetensors(folder / "adapter/adapter_model.safetensors", std::vector{embedding});
  {
    const auto checkpoint = open_checkpoint(folder / "adapter");
    EXPECT_FALSE(checkpoint.config.text.tie_word_embeddings);
    EXPECT_EQ(checkpoint.weights->find("lm_head.weight")->data,
              checkpoint.weights->base().find("model.embed_tokens.weight")->data);
  }
  adapter["ensure_weight_tying"] = true;
  files::write_json(folder / "adapter/adapter_config.json", adapter);
  EXPECT_TRUE(open_checkpoint(folder / "adapter").config.text.tie_word_embeddings);
  write_safetensors(folder / "adapter/adapter_model.safetensors", std::vector{embedding, head});
  const auto untied = open_checkpoint(folder / "adapter");
  EXPECT_FALSE(untied.config.text.tie_word_embeddings);
  EXPECT_EQ(untied.weights->find("lm_head.weight")->type, stamp::ElementType::float32);
}

TEST(Scan, NonFiniteValuesAreCountedAndPlaced) {  // row 30
  using stamp::checkpoint::find_non_finite;
  const auto tensor = [](stamp::ElementType type, const auto& values) {
    stamp::StoredTensor view;
    view.type = type;
    view.rank = 1;
    view.extents[0] = static_cast<Index>(std::size(values));
    view.data = reinterpret_cast<const std::byte*>(std::data(values));
    return view;
  };
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> f32{1, std::numeric_limits<float>::max(), std::nanf(""), -infinity};
  EXPECT_SAYS(files::failure_of([&] {
                stamp::checkpoint::check_finite("w", tensor(stamp::ElementType::float32, f32));
              }),
              "w has 2 non-finite values, first at index 2");
  const std::vector<double> f64{1, 2, static_cast<double>(infinity)};
  EXPECT_EQ(find_non_finite(tensor(stamp::ElementType::float64, f64)).first, 2);
  const std::vector<std::uint16_t> bits{0x3C00, 0x7BFF, 0xFC00, 0x7F80};
  EXPECT_EQ(find_non_finite(tensor(stamp::ElementType::float16, bits)).first, 2);
  EXPECT_EQ(find_non_finite(tensor(stamp::ElementType::bfloat16, bits)).first, 3);
  const std::vector<std::int32_t> whole{-1, 0x7F800000};
  EXPECT_EQ(find_non_finite(tensor(stamp::ElementType::int32, whole)).count, 0);
}

TEST(Scan, NormWeightsOfZerosAreWarnedAbout) {  // row 31
  using stamp::checkpoint::norm_warning;
  const std::vector<float> zeros{0.0F, -0.0F}, ones{0.0F, 1.0F};
  stamp::StoredTensor view;
  view.rank = 1;
  view.extents[0] = 2;
  view.data = reinterpret_cast<const std::byte*>(zeros.data());
  for (const char* name : {"model.norm.weight", "model.layers.3.input_layernorm.weight",
                           "visual.blocks.0.norm2.weight", "visual.merger.ln_q.weight"}) {
    EXPECT_EQ(norm_warning(name, view), std::string(name) + ": all 2 values are zero");
  }
  EXPECT_EQ(norm_warning("model.norm.bias", view), "");
  EXPECT_EQ(norm_warning("classifier.weight", view), "");
  view.data = reinterpret_cast<const std::byte*>(ones.data());
  EXPECT_EQ(norm_warning("model.norm.weight", view), "");
}

/// Section 7, item 16: every flip ends in an error or in a checkpoint that is whole.
TEST(Checkpoint, BitFlipsInAnyFile) {
  const files::TemporaryFolder folder;
  write_base(folder / "base");
  fs::copy(goldens / "adapter", folder / "adapter");
  fs::remove(folder / "base/model.safetensors");
  for (const auto& file : fs::directory_iterator(goldens / "base")) {
    fs::copy(file, folder / "base" / file.path().filename(), fs::copy_options::overwrite_existing);
  }
  const std::vector<fs::path> targets{
      folder / "base/config.json", folder / "base/model.safetensors.index.json",
      folder / "base/model-00002-of-00002.safetensors", folder / "adapter/adapter_config.json",
      folder / "adapter/adapter_model.safetensors"};
  std::mt19937 random(62);
  int opened = 0;
  for (const fs::path& target : targets) {
    const std::string original = files::read(target);
    for (int round = 0; round < 300; ++round) {
      std::string bytes = original;
      const std::size_t bit = random() % (8 * bytes.size());
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      files::write(target, bytes);
      try {
        const auto checkpoint = open_checkpoint(folder / "adapter");
        const auto tensor = checkpoint.weights->find("model.layers.0.self_attn.k_proj.weight");
        ASSERT_EQ(tensor->size(), 8 * 16);
        ++opened;
      } catch (const stamp::Error& error) {
        ASSERT_EQ(error.fault(), stamp::Fault::input) << error.what();
      }
    }
    files::write(target, original);
  }
  EXPECT_NO_THROW((void)open_checkpoint(folder / "adapter"));
  EXPECT_GT(opened, 150) << "flips of values are not errors of the file";
  EXPECT_LT(opened, 1'200);
}

}  // namespace
