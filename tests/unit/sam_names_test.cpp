// SPDX-License-Identifier: Apache-2.0
// SAM's two namings against the state dict of transformers' own SamModel, and against the list of
// segment-anything's names (reference/pytorch/pth_goldens.py). Shapes tell a wrong pair.
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stamp/checkpoint/sam_names.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

using stamp::checkpoint::sam_naming;
using stamp::checkpoint::SamNaming;
using stamp::checkpoint::translated_sam_names;
using Shapes = std::map<std::string, std::vector<int>>;

Shapes shapes(const char* naming) {
  const auto json =
      nlohmann::json::parse(files::read(STAMP_SOURCE_DIR "/tests/goldens/pth/sam_names.json"));
  Shapes found;
  for (const auto& entry : json[naming]) found[entry[0]] = entry[1].get<std::vector<int>>();
  return found;
}
std::vector<std::string> names_of(const Shapes& shapes) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes) names.push_back(name);
  return names;
}

/// All of `from`, translated, is all of `to`, with the same shapes.
void expect_translated(const Shapes& from, SamNaming naming, const Shapes& to, SamNaming other) {
  Shapes made;
  for (const auto& [name, shape] : from) {
    const auto names = translated_sam_names(name, naming, other);
    EXPECT_FALSE(names.empty()) << name;
    for (const auto& translated : names) {
      const auto [place, added] = made.emplace(translated, shape);
      EXPECT_TRUE(added || name.find("positional") != std::string::npos) << translated;
      EXPECT_EQ(place->second, shape) << name << " and " << translated;
    }
  }
  EXPECT_EQ(made, to);
}

TEST(SamNames, TranslateEveryTensorThereAndBack) {
  const Shapes official = shapes("official");
  const Shapes huggingface = shapes("huggingface");
  EXPECT_EQ(official.size(), 174U);
  EXPECT_EQ(huggingface.size(), 175U);
  expect_translated(official, SamNaming::official, huggingface, SamNaming::huggingface);
  expect_translated(huggingface, SamNaming::huggingface, official, SamNaming::official);
  expect_translated(official, SamNaming::official, official, SamNaming::official);
}

TEST(SamNames, PairTensorsOfOneShapeAsTheModelsUseThem) {
  const auto huggingface = [](const char* name) {
    return translated_sam_names(name, SamNaming::official, SamNaming::huggingface).at(0);
  };
  EXPECT_EQ(huggingface("image_encoder.blocks.31.norm2.bias"),
            "vision_encoder.layers.31.layer_norm2.bias");
  EXPECT_EQ(huggingface("image_encoder.neck.3.weight"), "vision_encoder.neck.layer_norm2.weight");
  EXPECT_EQ(huggingface("mask_decoder.transformer.layers.1.norm4.weight"),
            "mask_decoder.transformer.layers.1.layer_norm4.weight");
  EXPECT_EQ(huggingface("mask_decoder.output_hypernetworks_mlps.3.layers.0.bias"),
            "mask_decoder.output_hypernetworks_mlps.3.proj_in.bias");
  EXPECT_EQ(huggingface("mask_decoder.output_hypernetworks_mlps.3.layers.1.bias"),
            "mask_decoder.output_hypernetworks_mlps.3.layers.0.bias");
  EXPECT_EQ(translated_sam_names("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
                                 SamNaming::official, SamNaming::huggingface),
            (std::vector<std::string>{"shared_image_embedding.positional_embedding",
                                      "prompt_encoder.shared_embedding.positional_embedding"}));
}

TEST(SamNames, AreToldFromEachOtherAndFromOthers) {
  EXPECT_EQ(sam_naming(names_of(shapes("official"))), SamNaming::official);
  EXPECT_EQ(sam_naming(names_of(shapes("huggingface"))), SamNaming::huggingface);
  const std::vector<std::string> decoder{"mask_decoder.iou_prediction_head.layers.0.weight",
                                         "mask_decoder.iou_prediction_head.proj_in.weight"};
  EXPECT_EQ(sam_naming(decoder), SamNaming::huggingface);
  EXPECT_EQ(sam_naming(std::vector<std::string>{"model.embed_tokens.weight"}), std::nullopt);
  for (const char* name :
       {"", "image_encoder", "image_encoder.blocks..norm1.weight", "image_encoder.pos_embedding",
        "image_encoder.blocks.1.norm1.weight.", "image_encoder.blocks.x.norm1.weight",
        "ximage_encoder.pos_embed", "image_encoder.neck.0.bias", "pixel_mean"}) {
    EXPECT_TRUE(translated_sam_names(name, SamNaming::official, SamNaming::huggingface).empty())
        << name;
  }
}

}  // namespace
