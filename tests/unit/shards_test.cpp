// SPDX-License-Identifier: Apache-2.0
// docs/bad-input.md, rows 22 to 25, and what a folder of weights may look like.
#include <cstring>
#include <nlohmann/json.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/checkpoint/shards.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using nlohmann::json;
using stamp::checkpoint::CheckpointWeights;
using stamp::checkpoint::named;

const std::vector<float> two{1, 2}, three{3, 4, 5};

/// a.safetensors with "a", b.safetensors with "b" and "c", and the index that fits them.
json write_shards(const fs::path& folder) {
  write_safetensors(folder / "a.safetensors", std::vector{named("a", {2}, two)});
  write_safetensors(folder / "b.safetensors",
                    std::vector{named("b", {3}, three), named("c", {2}, two)});
  return {{"metadata", {{"total_size", 28}}},
          {"weight_map", {{"a", "a.safetensors"}, {"b", "b.safetensors"}, {"c", "b.safetensors"}}}};
}
std::string open_failure(const fs::path& folder) {
  return files::failure_of([&] { const CheckpointWeights weights(folder); });
}

TEST(Shards, OpensThemAsOne) {
  const files::TemporaryFolder folder;
  files::write_json(folder / "model.safetensors.index.json", write_shards(folder.path()));
  const CheckpointWeights weights(folder.path());
  EXPECT_EQ(weights.names(), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(weights.find("b"));
  float last = 0;
  std::memcpy(&last, weights.find("b")->data + 8, 4);
  EXPECT_EQ(last, 5);
  EXPECT_FALSE(weights.find("d"));
  weights.check_unchanged();
  fs::resize_file(folder / "b.safetensors", 10);
  EXPECT_SAYS(files::failure_of([&] { weights.check_unchanged(); }),
              "b.safetensors: file changed while loading");
}

TEST(Shards, RefusesEveryRowOfTheTable) {
  struct Bad {
    const char* row;
    json patch;  ///< merged over the index that fits
    const char* says;
  };
  const auto map = [](const json& entries) { return json{{"weight_map", entries}}; };
  const std::vector<Bad> table{
      {"22", map({{"b", "lost.safetensors"}, {"c", "lost.safetensors"}}),
       "shard lost.safetensors missing, named by index for 2 tensors"},
      {"23", map({{"a", "../../x"}}), "../../x: path escapes model folder"},
      {"23", map({{"a", "/etc/passwd"}}), "/etc/passwd: path escapes model folder"},
      {"23", map({{"a", ".."}}), "path escapes model folder"},
      {"23", map({{"a", ""}}), "path escapes model folder"},
      {"23", map({{"a", "sub/a.safetensors"}}), "path escapes model folder"},
      {"23", map({{"a", "link.safetensors"}}),
       "link.safetensors: path escapes model folder, it is a link"},
      {"24", map({{"c", "a.safetensors"}}),
       "c listed in shard a.safetensors, it is in b.safetensors"},
      {"24", map({{"d", "a.safetensors"}}), "d listed in shard a.safetensors, no shard holds it"},
      {"24", map({{"c", nullptr}}), "holds c, which the index does not list there"},
      {"25",
       {{"metadata", {{"total_size", 29}}}},
       "total_size 29: the shards hold 28 bytes of tensors"},
      {"25", {{"metadata", {{"total_size", -1}}}}, "total_size -1"},
      {"ours", map({{"a", 7}}), "a 7: must be a file name"},
      {"ours", {{"weight_map", nullptr}}, "weight_map absent"},
  };
  for (const Bad& bad : table) {
    const files::TemporaryFolder folder, outside;
    json index = write_shards(folder.path());
    fs::copy_file(folder / "a.safetensors", outside / "a.safetensors");
    fs::create_symlink(outside / "a.safetensors", folder / "link.safetensors");
    index.merge_patch(bad.patch);
    files::write_json(folder / "model.safetensors.index.json", index);
    EXPECT_SAYS(open_failure(folder.path()), bad.says) << "row " << bad.row;
  }
}

TEST(Shards, OneTensorInTwoFiles) {
  const files::TemporaryFolder folder;
  json index = write_shards(folder.path());
  write_safetensors(folder / "a.safetensors",
                    std::vector{named("a", {2}, two), named("c", {2}, two)});
  files::write_json(folder / "model.safetensors.index.json", index);
  EXPECT_SAYS(open_failure(folder.path()),
              "a.safetensors: holds c, which the index does not list there");
}

TEST(Shards, OneTensorUnderBothGenerationsOfNames) {
  const files::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors",
                    std::vector{named("model.norm.weight", {2}, two),
                                named("model.language_model.norm.weight", {2}, two)});
  EXPECT_SAYS(open_failure(folder.path()), "model.norm.weight stands twice");
}

TEST(Shards, NewNamesAreFoundUnderTheOldOnes) {
  const files::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", std::vector{named("model.visual.x", {2}, two)});
  EXPECT_TRUE(CheckpointWeights(folder.path()).find("visual.x"));
}

TEST(Shards, LinksOfTheHubsCacheAreInside) {
  const files::TemporaryFolder cache;
  const auto snapshot = cache / "snapshots" / "abc";
  fs::create_directories(snapshot);
  fs::create_directories(cache / "blobs");
  const json index = write_shards(cache / "blobs");
  for (const char* name : {"a.safetensors", "b.safetensors"}) {
    const auto blob = cache / "blobs" / ("0123456789abcdef"s + name[0]);  // called by its hash
    fs::rename(cache / "blobs" / name, blob);
    fs::create_symlink(fs::path("../../blobs") / blob.filename(), snapshot / name);
  }
  files::write_json(snapshot / "model.safetensors.index.json", index);
  EXPECT_EQ(CheckpointWeights(snapshot).names().size(), 3U);
}

TEST(Shards, FoldersWithoutWeightsSayWhatIsThere) {
  const files::TemporaryFolder folder;
  EXPECT_SAYS(open_failure(folder.path()),
              "no model.safetensors and no model.safetensors.index.json");
  files::write(folder / "pytorch_model.bin", "PK");
  EXPECT_SAYS(open_failure(folder.path()),
              "only pytorch_model.bin: this is a PyTorch pickle; expected safetensors");
}

}  // namespace
