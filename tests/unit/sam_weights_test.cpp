// SPDX-License-Identifier: Apache-2.0
// A SAM's tensors by their official names, whichever naming or container the file has; and what is
// said of a file that is no SAM.
#include <cstring>
#include <nlohmann/json.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/checkpoint/sam_weights.hpp>
#include <stamp/checkpoint/tensor_problems.hpp>

#include "unit/checkpoint_files.hpp"
#include "unit/pth_files.hpp"

namespace {

using stamp::ExpectedTensor;
using stamp::checkpoint::require_tensors;
using stamp::checkpoint::SamWeights;
using stamp::checkpoint::TensorFormat;
using Tensors = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

Tensors sam(const char* naming) {
  const auto json =
      nlohmann::json::parse(files::read(STAMP_SOURCE_DIR "/tests/goldens/pth/sam_names.json"));
  Tensors tensors;
  for (const auto& entry : json[naming]) tensors.emplace_back(entry[0], entry[1]);
  return tensors;
}
std::vector<ExpectedTensor> expected() {
  std::vector<ExpectedTensor> tensors;
  for (const auto& [name, shape] : sam("official")) {
    const std::vector<stamp::Index> extents(shape.begin(), shape.end());
    tensors.push_back({name, extents, stamp::to_string(extents)});
  }
  return tensors;
}

TEST(SamWeights, AreFoundByOfficialNamesInEitherNaming) {
  const files::TemporaryFolder folder;
  for (const char* naming : {"official", "huggingface"}) {
    const SamWeights weights(files::write(folder / naming, files::pth_of(sam(naming))));
    EXPECT_EQ(weights.file().format(), TensorFormat::pth_zip);
    EXPECT_NO_THROW(require_tensors(expected(), weights, naming, "SAM"));
    const auto found = weights.find("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix");
    EXPECT_EQ(found->size(), 8);
    EXPECT_FALSE(weights.find("vision_encoder.pos_embed"));
  }
}

TEST(SamWeights, ComeFromSafetensorsToo) {
  const files::TemporaryFolder folder;
  const std::vector<float> two{1, 2};
  write_safetensors(folder / "f", std::vector{stamp::checkpoint::named(
                                      "vision_encoder.neck.layer_norm2.bias", {2}, two)});
  const SamWeights weights(folder / "f");
  const auto found = weights.find("image_encoder.neck.3.bias");
  ASSERT_TRUE(found);
  EXPECT_EQ(std::memcmp(found->data, two.data(), 8), 0);
}

TEST(SamWeights, OfAnotherModelNameTheFirstMissingTensor) {
  const files::TemporaryFolder folder;
  const auto said = [&](const Tensors& tensors) {
    const SamWeights weights(files::write(folder / "f.pth", files::pth_of(tensors)));
    return files::failure_of([&] { require_tensors(expected(), weights, "f.pth", "SAM"); });
  };
  EXPECT_SAYS(said({{"layer1.0.conv1.weight", {2, 2}}}),
              "f.pth: is no SAM checkpoint: " + expected()[0].name + " missing, expected (");
  auto tensors = sam("official");
  tensors.erase(tensors.begin() + 7);
  EXPECT_SAYS(said(tensors), "is no SAM checkpoint: " + expected()[7].name + " missing");
  tensors = sam("official");
  tensors[3].second.push_back(1);
  EXPECT_SAYS(said(tensors), tensors[3].first + " shape (");
}

}  // namespace
