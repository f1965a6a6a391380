// SPDX-License-Identifier: Apache-2.0
// A dialogue about images: what has been seen and said, and the two phases on top of it.
//   phase 1  read the prompt, then generate words; the KV cache holds what was said
//   phase 2  for any <|seg|> among it, the mask in one pass over that cache
#pragma once

#include <algorithm>
#include <optional>
#include <stamp/model/stamp/mask_pass.hpp>

namespace stamp {

/// Which rotary positions mask tokens take; see mask_positions.hpp.
enum class MaskPositions { text, grid };

/// A mask before it is a picture: logits [rows, columns] on the merged grid of the last image.
template <std::floating_point Number>
struct MaskLogits {
  Index token = 0;  ///< position of its `<|seg|>` in the dialogue
  Index rows = 0;
  Index columns = 0;
  std::vector<Number> values;
};

/// Keeps engine and model by reference; both must outlive it.
template <Backend B>
class Dialogue {
 public:
  using Number = typename B::Number;

  Dialogue(B& engine, const Stamp<B>& stamp)
      : engine_(engine), stamp_(stamp), cache_(stamp.model.empty_cache()) {}

  /// Runs the vision tower over images that the next `read` will name, and keeps their merged
  /// features F: masks are made from them without a second run. `pixel_values` as in VisionTower.
  template <class T = NoTap>
  void look(std::span<const float> pixel_values, std::span<const qwen2_vl::PatchGrid> grids,
            const T& tap = {}) {
    if (grids.empty()) fail(Fault::usage, "look: expected at least one image, found none");
    flush(tap);  // what was said last belongs before the new images
    const Index merged = stamp_.config.vision.merged_patches();
    features_ = engine_.keep(Tokens{qwen2_vl::count_patches(grids) / merged},
                             Hidden{stamp_.config.text.hidden_size});
    stamp_.visual(engine_, features_.view(), pixel_values, grids, tap.within("vision"));
    unread_.assign(grids.begin(), grids.end());
    image_ = grids.back();
  }

  /// Adds tokens to the dialogue in one causal pass. Returns the scores of the token that follows
  /// ids[scores_of], [Vocab]. Image tokens take the features of the last `look`.
  template <class T = NoTap>
  std::vector<Number> read(std::span<const std::int32_t> ids, Index scores_of, const T& tap = {}) {
    flush(tap);
    const auto positions =
        qwen2_vl::rope_positions(ids, unread_, stamp_.config.tokens,
                                 stamp_.config.vision.spatial_merge_size, next_position_);
    return run(ids, positions, scores_of, tap);
  }
  /// The same for the last token's scores.
  std::vector<Number> read(std::span<const std::int32_t> ids) {
    return read(ids, static_cast<Index>(ids.size()) - 1);
  }

  /// Phase 1: picks tokens from `scores` on until `stop` or until `limit` tokens are picked.
  /// `pick(scores, dialogue)` chooses, `said(id)` hears every choice. The last token is remembered
  /// and runs through the model when something needs its keys.
  template <class Pick, class Said, class T = NoTap>
  std::vector<std::int32_t> generate(std::vector<Number> scores, std::int32_t stop, Index limit,
                                     const Pick& pick, const Said& said, const T& tap = {}) {
    std::vector<std::int32_t> answer;
    while (static_cast<Index>(answer.size()) < limit) {
      flush_into(scores, tap);
      const std::int32_t id = pick(std::span<Number>(scores), tokens());
      answer.push_back(id);
      ids_.push_back(id);
      pending_ = id;
      said(id);
      if (id == stop) break;
    }
    return answer;
  }

  /// Phase 2 for one object: the mask of the `<|seg|>` at position `token` of the dialogue.
  template <class T = NoTap>
  [[nodiscard]] MaskLogits<Number> segment(Index token, MaskPositions where, const T& tap = {}) {
    return std::move(segment(std::span<const Index>(&token, 1), where, tap).front());
  }

  /// Phase 2 for several objects in ONE pass; the same logits as one pass each.
  template <class T = NoTap>
  [[nodiscard]] std::vector<MaskLogits<Number>> segment(std::span<const Index> tokens,
                                                        MaskPositions where, const T& tap = {}) {
    if (tokens.empty()) return {};
    flush(tap);
    std::vector<MaskRequest> requests;
    for (const Index token : tokens) requests.push_back(request_for(token));
    const Index merge = stamp_.config.vision.spatial_merge_size;
    const Index columns = image_->w / merge;
    const Index cells = image_->patches() / (merge * merge);
    const Index objects = static_cast<Index>(requests.size());
    cache_.reserve(engine_, cache_.length() + objects * cells);

    using Features = View<const typename B::Element, Tokens, Hidden>;
    const Features all = std::as_const(features_).view();
    const Features image = rows(all, all.template axis<Tokens>().size - cells, cells);
    const auto logits =
        where == MaskPositions::text
            ? mask_pass<TextPositions>(engine_, stamp_, cache_, requests, image, columns, tap)
            : mask_pass<GridPositions>(engine_, stamp_, cache_, requests, image, columns, tap);

    std::vector<MaskLogits<Number>> masks;
    for (Index object = 0; object < objects; ++object) {
      const auto first = logits.begin() + object * cells;
      masks.push_back({tokens[static_cast<std::size_t>(object)], cells / columns, columns,
                       std::vector<Number>(first, first + cells)});
    }
    return masks;
  }

  /// Everything read and said so far.
  [[nodiscard]] std::span<const std::int32_t> tokens() const { return ids_; }
  /// M-RoPE positions of what has run through the model.
  [[nodiscard]] std::span<const qwen2_vl::Position> positions() const { return positions_; }
  /// Grid of the image that masks are made for; empty before the first `look`.
  [[nodiscard]] const std::optional<qwen2_vl::PatchGrid>& image() const { return image_; }

 private:
  [[nodiscard]] MaskRequest request_for(Index token) const {
    if (!image_) fail(Fault::usage, "segment: expected an image in the dialogue, found none");
    if (token < 0 || token >= cache_.length()) {
      fail(Fault::usage, "segment: expected a token below " + std::to_string(cache_.length()) +
                             ", found " + std::to_string(token));
    }
    return {token + 1, positions_[static_cast<std::size_t>(token)].t + 1};
  }

  /// Runs the remembered token; afterwards the cache holds all that was said.
  template <class T>
  void flush(const T& tap) {
    std::vector<Number> unused;
    flush_into(unused, tap);
  }
  template <class T>
  void flush_into(std::vector<Number>& scores, const T& tap) {
    if (!pending_) return;
    const std::int32_t id = *pending_;
    pending_.reset();
    ids_.pop_back();  // run() adds it again
    scores = run(std::span(&id, 1), qwen2_vl::text_positions(next_position_, 1), 0, tap);
  }

  template <class T>
  std::vector<Number> run(std::span<const std::int32_t> ids,
                          std::span<const qwen2_vl::Position> positions, Index scores_of,
                          const T& tap) {
    if (ids.empty()) fail(Fault::usage, "read: expected at least one token, found none");
    if (scores_of < 0 || scores_of >= static_cast<Index>(ids.size())) {
      fail(Fault::usage, "read: expected scores of a token below " + std::to_string(ids.size()) +
                             ", found " + std::to_string(scores_of));
    }
    const auto frame = engine_.frame();
    const Index count = static_cast<Index>(ids.size());
    const Index before = cache_.length();
    cache_.reserve(engine_, before + count);
    auto x = stamp_.model.embed_tokens(engine_, ids);
    place_features(x, ids);
    const auto text = tap.within("language");
    text.record(engine_, "embeddings", x);
    const auto at = qwen2_vl::text_rotary(engine_, positions, stamp_.config.text);
    stamp_.model(engine_, x, at, cache_, before, Causal{before}, text);
    cache_.advance(count);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    positions_.insert(positions_.end(), positions.begin(), positions.end());
    for (const auto& position : positions) {
      next_position_ = std::max(next_position_, position.largest() + 1);
    }
    return scores(x, scores_of, text);
  }

  template <class T>
  std::vector<Number> scores(Activation<B, Tokens, Hidden> x, Index row, const T& tap) {
    if constexpr (!std::same_as<T, NoTap>) {
      tap.record(engine_, "norm", stamp_.model.norm(engine_, x));
    }
    const auto logits = stamp_.logits(engine_, stamp_.model.norm(engine_, rows(x, row, 1)));
    const Vocab vocab = logits.template axis<Vocab>();
    tap.record(engine_, "logits", View<typename B::Element, Vocab>(logits.data(), vocab));
    std::vector<Number> numbers(static_cast<std::size_t>(vocab.size));
    engine_.download(std::span(numbers), logits);
    return numbers;
  }

  /// Image tokens stand in runs; each run takes the next features, all of them in the end.
  void place_features(Activation<B, Tokens, Hidden> x, std::span<const std::int32_t> ids) {
    if (unread_.empty()) return;
    Index used = 0;
    const auto pad = static_cast<std::int32_t>(stamp_.config.tokens.image_pad);
    for (std::size_t at = 0; at < ids.size(); ++at) {
      if (ids[at] != pad) continue;
      std::size_t end = at;
      while (end < ids.size() && ids[end] == pad) ++end;
      const auto length = static_cast<Index>(end - at);
      const auto all = features_.view();
      if (used + length > all.template axis<Tokens>().size) {
        fail(Fault::input,
             "prompt: expected " + std::to_string(all.extents()[0]) + " image tokens, found more");
      }
      copy(engine_, rows(x, static_cast<Index>(at), length), rows(all, used, length));
      used += length;
      at = end - 1;
    }
    unread_.clear();
  }

  B& engine_;
  const Stamp<B>& stamp_;
  KvCache<B> cache_;
  typename B::template Kept<Tokens, Hidden> features_;
  std::vector<qwen2_vl::PatchGrid> unread_;
  std::optional<qwen2_vl::PatchGrid> image_;
  std::vector<std::int32_t> ids_;
  std::vector<qwen2_vl::Position> positions_;
  Index next_position_ = 0;
  std::optional<std::int32_t> pending_;
};

}  // namespace stamp
