// SPDX-License-Identifier: Apache-2.0
// The paper's idea: the whole mask of an object in ONE parallel pass over N mask tokens.
//
//   e_i = Embed(<|mask|>) + F_i          F = merged vision features of the image, i = 1 … N
//   h   = LanguageModel(e | KV cache up to and including this object's <|seg|>)
//   l_i = w · RMSNorm(h_i) + b           foreground where l_i > 0: mask_readout.hpp
//
// Every mask token sees the history and every mask token of its object (hybrid attention), so N
// cells cost one pass instead of N steps. Several objects share a pass as blocks that do not see
// each other.
#pragma once

#include <cstdint>
#include <span>
#include <stamp/model/stamp/mask_positions.hpp>
#include <stamp/model/stamp/model.hpp>
#include <stamp/model/stamp/steps.hpp>
#include <vector>

namespace stamp {

/// One object to segment: how much of the dialogue it sees (`<|seg|>` included), and the
/// rotary position that follows its `<|seg|>`.
struct MaskRequest {
  Index history = 0;
  Index base = 0;
};

/// Runs all requested objects in one pass over the cache, which is left as it was, and hands their
/// h, [objects · N, Hidden] in the engine's memory, to read(h). `image` is F, [N, Hidden];
/// `columns` the width of its grid. The cache must have room_for (steps.hpp) objects · N slots
/// behind the dialogue. `steps` and `turns` are the dialogue's.
template <PositionPolicy Where, Backend B, Tap<B> T, class Read>
void mask_pass(B& engine, const Stamp<B>& stamp, KvCache<B>& cache, Steps<B>& steps,
               qwen2_vl::TextTurns<B>& turns, std::span<const MaskRequest> objects,
               View<const typename B::Element, Tokens, Hidden> image, Index columns, const T& tap,
               const Read& read) {
  const auto frame = engine.frame();
  const Index cells = image.template axis<Tokens>().size;
  const Index count = static_cast<Index>(objects.size());

  // e = Embed(<|mask|>) + F, once an object.
  const std::vector<std::int32_t> ids(static_cast<std::size_t>(count * cells),
                                      static_cast<std::int32_t>(stamp.config.tokens.mask));
  auto x = stamp.model.embed_tokens(engine, ids);
  std::vector<qwen2_vl::Position> positions;
  std::vector<std::int32_t> histories;
  for (Index object = 0; object < count; ++object) {
    const MaskRequest& request = objects[static_cast<std::size_t>(object)];
    add(engine, rows(x, object * cells, cells), image);
    for (Index cell = 0; cell < cells; ++cell) {
      positions.push_back(Where::at(request.base, cell, columns));
    }
    histories.push_back(static_cast<std::int32_t>(cache.branch(request.history)));
  }
  tap.record(engine, "embeddings", x);

  // h = LanguageModel(e | cache); the masks' keys stand behind the dialogue and are forgotten.
  const auto at = text_rotary(engine, positions, stamp.config.text, turns);
  steps.masks(engine, cache, x, cells, histories, tap, [&](auto slot, auto mask) {
    stamp.model(engine, x, at, cache, slot, mask, tap);
    if (tap.listens()) tap.record(engine, "norm", stamp.model.norm(engine, x));
  });
  read(x);
}

}  // namespace stamp
