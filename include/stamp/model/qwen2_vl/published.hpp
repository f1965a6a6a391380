// SPDX-License-Identifier: Apache-2.0
// Qwen2-VL at its published sizes, for work that needs sizes and no checkpoint. Source: the models'
// config.json; ids are those of the released tokenizer with STAMP's tokens behind it.
#pragma once

#include <stamp/model/qwen2_vl/config.hpp>

namespace stamp::qwen2_vl {

/// 2 billion parameters, the LM head tied to the embedding.
[[nodiscard]] inline Config published_2b() {
  Config config;  // its defaults are these sizes
  config.tokens = {.im_start = 151644,
                   .im_end = 151645,
                   .vision_start = 151652,
                   .vision_end = 151653,
                   .image_pad = 151655,
                   .seg = 151657,
                   .mask = 151658};
  return config;
}

/// 7 billion parameters, with an LM head of its own.
[[nodiscard]] inline Config published_7b() {
  Config config = published_2b();
  config.vision.hidden_size = 3584;
  config.text.hidden_size = 3584;
  config.text.intermediate_size = 18944;
  config.text.num_attention_heads = 28;
  config.text.num_key_value_heads = 4;
  config.text.vocab_size = 152064;
  config.text.tie_word_embeddings = false;
  return config;
}

}  // namespace stamp::qwen2_vl
