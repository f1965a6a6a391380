// SPDX-License-Identifier: Apache-2.0
#include <stamp/checkpoint/names.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

TEST(Names, BothGenerationsGiveTheOldName) {
  using stamp::checkpoint::canonical_name;
  const std::vector<std::pair<const char*, const char*>> table{
      {"visual.merger.ln_q.bias", "visual.merger.ln_q.bias"},
      {"model.visual.merger.ln_q.bias", "visual.merger.ln_q.bias"},
      {"model.layers.3.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"},
      {"model.language_model.layers.3.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"},
      {"model.language_model.embed_tokens.weight", "model.embed_tokens.weight"},
      {"model.language_model.norm.weight", "model.norm.weight"},
      {"lm_head.weight", "lm_head.weight"},
      {"classifier.bias", "classifier.bias"},
      {"model.visually.x", "model.visually.x"},
      {"", ""},
  };
  for (const auto& [given, expected] : table) EXPECT_EQ(canonical_name(given), expected);
}

}  // namespace
