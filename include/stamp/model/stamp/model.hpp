// SPDX-License-Identifier: Apache-2.0
// STAMP's weights as one module: a Qwen2-VL model and the classifier that reads mask tokens.
#pragma once

#include <optional>
#include <stamp/model/qwen2_vl/language.hpp>
#include <stamp/model/qwen2_vl/vision.hpp>

namespace stamp {

/// The names of `parts` are the checkpoint's: visual.*, model.*, lm_head.*, classifier.*.
template <Backend B>
struct Stamp {
  qwen2_vl::VisionTower<B> visual;
  qwen2_vl::LanguageModel<B> model;
  std::optional<Linear<B, Hidden, Vocab, Bias::none>> lm_head;  ///< none where tied
  Linear<B, Hidden, Logit> classifier;                          ///< one logit a mask token
  qwen2_vl::Config config;

  static constexpr auto parts =
      std::tuple{Part{"visual", &Stamp::visual}, Part{"model", &Stamp::model},
                 Part{"lm_head", &Stamp::lm_head}, Part{"classifier", &Stamp::classifier}};

  explicit Stamp(const qwen2_vl::Config& c)
      : visual(c.vision),
        model(c.text),
        classifier(Hidden{c.text.hidden_size}, Logit{1}),
        config(c) {
    if (!c.text.tie_word_embeddings) {
      lm_head.emplace(Hidden{c.text.hidden_size}, Vocab{c.text.vocab_size});
    }
  }

  /// y = scores of the next token, [Tokens, Vocab], from normalised hidden states.
  void logits(B& engine, Activation<B, Tokens, Vocab> y, Activation<B, Tokens, Hidden> x) const {
    matmul(engine, y, x, lm_head ? lm_head->weight : *model.embed_tokens.head);
  }
};

}  // namespace stamp
