// SPDX-License-Identifier: Apache-2.0
// A dialogue about images: what has been seen and said, and the two phases on top of it.
//   phase 1  read the prompt, then generate words; the KV cache holds what was said
//   phase 2  for any <|seg|> among it, the mask in one pass over that cache
#pragma once

#include <algorithm>
#include <optional>
#include <stamp/model/stamp/draft.hpp>
#include <stamp/model/stamp/mask_pass.hpp>
#include <stamp/model/stamp/mask_readout.hpp>
#include <stamp/ops/fused.hpp>

namespace stamp {

/// Which rotary positions mask tokens take; see mask_positions.hpp.
enum class MaskPositions { text, grid };

/// Keeps engine and model by reference; both must outlive it.
template <Backend B>
class Dialogue {
 public:
  using Number = typename B::Number;

  Dialogue(B& engine, const Stamp<B>& stamp)
      : engine_(engine),
        stamp_(stamp),
        cache_(stamp.model.empty_cache()),
        turns_(stamp.config.text) {}

  /// Runs the vision tower over images that the next `read` will name, and keeps their merged
  /// features F: masks are made from them without a second run. `pixel_values` as in VisionTower:
  /// numbers, or what writes them into the engine's memory.
  template <class Values = std::span<const float>, Tap<B> T = NoTap>
  void look(const Values& pixel_values, std::span<const qwen2_vl::PatchGrid> grids,
            const T& tap = {}) {
    if (grids.empty()) fail(Fault::usage, "look: expected at least one image, found none");
    flush(tap);  // what was said last belongs before the new images
    ++looks_;
    const Index merged = stamp_.config.vision.merged_patches();
    features_ = engine_.keep(Tokens{qwen2_vl::count_patches(grids) / merged},
                             Hidden{stamp_.config.text.hidden_size});
    stamp_.visual(engine_, features_.view(), pixel_values, grids, tap.within("vision"));
    unread_.assign(grids.begin(), grids.end());
    image_ = grids.back();
    // The host's part of what comes, while an engine of its own memory still looks.
    turns_.turns.reserve(next_position_ + std::max(grids.back().h, grids.back().w) + room_ahead());
    turns_.turns.make();
  }

  /// Adds tokens to the dialogue in one causal pass. Returns the scores of the token that follows
  /// ids[scores_of], [Vocab]. Image tokens take the features of the last `look`.
  template <Tap<B> T = NoTap>
  std::vector<Number> read(std::span<const std::int32_t> ids, Index scores_of, const T& tap = {}) {
    // What was said last runs along, so that it costs no pass of its own.
    if (pending_ == static_cast<std::int32_t>(stamp_.config.tokens.image_pad)) flush(tap);
    std::vector<std::int32_t> fresh;
    places_.clear();
    if (pending_) {
      fresh.push_back(*pending_);
      places_.push_back({next_position_, next_position_, next_position_});
    }
    const Index first = std::ssize(fresh);
    const auto positions =
        qwen2_vl::rope_positions(ids, unread_, stamp_.config.tokens,
                                 stamp_.config.vision.spatial_merge_size, next_position_ + first);
    if (scores_of < 0 || scores_of >= std::ssize(ids)) {
      fail(Fault::usage, ids.empty() ? "read: expected at least one token, found none"
                                     : "read: expected scores of a token below " +
                                           std::to_string(ids.size()) + ", found " +
                                           std::to_string(scores_of));
    }
    for (const std::int32_t id : ids) fresh.push_back(id);
    for (const auto& position : positions) places_.push_back(position);
    cache_.reserve(engine_, room_for(engine_, cache_.length() + std::ssize(fresh) + room_ahead()));
    std::vector<Number> scores;
    const Index scored = first + scores_of;
    run(scores, Wanted::scores, fresh, places_, {scored, scored + 1}, tap);
    pending_.reset();
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    unread_.clear();
    return scores;
  }
  /// The same for the last token's scores.
  std::vector<Number> read(std::span<const std::int32_t> ids) {
    return read(ids, static_cast<Index>(ids.size()) - 1);
  }

  /// Phase 1: picks tokens from `scores` on until `stop` or until `limit` tokens are picked.
  /// `pick(scores, dialogue)` chooses, `said(id)` hears every choice. The last token is remembered
  /// and runs through the model when something needs its keys.
  template <class Pick, class Said, Tap<B> T = NoTap>
  std::vector<std::int32_t> generate(std::vector<Number> scores, std::int32_t stop, Index limit,
                                     const Pick& pick, const Said& said, const T& tap = {}) {
    const auto choose = [&](std::size_t row) {
      const std::size_t vocab = scores.size() / (guesses_.size() + 1);
      return pick(std::span(scores).subspan(row * vocab, vocab), tokens());
    };
    return generate_by(scores, Wanted::scores, stop, limit, choose, said, tap);
  }
  /// The same, where the first of the largest scores is picked: they stay in the engine's memory,
  /// and the answer is that of a `pick` that finds it. Error{failure} where a score is NaN or +inf,
  /// or none is above -inf.
  template <class Said, Tap<B> T = NoTap>
  std::vector<std::int32_t> generate_greedily(std::vector<Number> scores, std::int32_t stop,
                                              Index limit, const Said& said, const T& tap = {}) {
    largest_.assign(1, place_of_largest(std::span<const Number>(scores)));
    const auto choose = [&](std::size_t row) {
      if (largest_[row] < 0) {
        fail(Fault::failure, "logits: expected numbers, some above -inf, found others");
      }
      return largest_[row];
    };
    return generate_by(scores, Wanted::largest, stop, limit, choose, said, tap);
  }

  /// The same, where `pick(kept)` chooses among what top-k keeps of the scores (ops/top_k.hpp),
  /// behind everything read and said; the others stay in the engine's memory.
  template <class Pick, class Said, Tap<B> T = NoTap>
  std::vector<std::int32_t> generate_among(std::vector<Number> scores, const TopK& how,
                                           std::int32_t stop, Index limit, const Pick& pick,
                                           const Said& said, const T& tap = {}) {
    how_ = how;
    kept_.clear();
    kept_.numbers.assign(scores.begin(), scores.end());
    keep_top_k(kept_, kept_.numbers, how_, tokens(), {});
    const auto choose = [&](std::size_t row) { return pick(kept_.row(row)); };
    return generate_by(scores, Wanted::kept, stop, limit, choose, said, tap);
  }

  /// From now on up to `tokens` guessed tokens run beside each token of an answer (draft.hpp).
  /// Guesses that `pick` would have chosen are kept, so answers are those of an engine that runs
  /// them one by one. More than most_guesses are not made: engines multiply up to four rows by
  /// kernels whose rows do not depend on each other's number, and more by others, whose sums may
  /// decide otherwise between two nearly equal scores. 0, the default, guesses nothing.
  void draft(Index tokens) { drafted_ = std::clamp<Index>(tokens, 0, most_guesses); }
  static constexpr Index most_guesses = 3;
  /// Answers that are likely, as tokens: where one begins with what was said, its next tokens are
  /// guessed before any others. Answers stay what they are.
  void expect(std::vector<std::vector<std::int32_t>> answers) { expected_ = std::move(answers); }
  /// Passes of the language model that generated answers have taken so far.
  [[nodiscard]] Index decode_passes() const { return passes_; }

  /// Phase 2 for one object: the mask of the `<|seg|>` at position `token` of the dialogue.
  template <Tap<B> T = NoTap>
  [[nodiscard]] MaskLogits<Number> segment(Index token, MaskPositions where, const T& tap = {}) {
    return std::move(segment(std::span<const Index>(&token, 1), where, tap).front());
  }

  /// Phase 2 for several objects in ONE pass; the logits of one pass each, to the rounding of sums.
  template <Tap<B> T = NoTap>
  [[nodiscard]] std::vector<MaskLogits<Number>> segment(std::span<const Index> tokens,
                                                        MaskPositions where, const T& tap = {}) {
    std::vector<MaskLogits<Number>> masks;
    read_masks(tokens, where, tap, [&](Activation<B, Tokens, Hidden> h) {
      const auto logits = mask_logits(engine_, stamp_, h);
      auto first = logits.begin();
      for (const Index token : tokens) {
        masks.push_back(unread_mask(token));
        masks.back().values.assign(first, first + mask_cells());
        first += mask_cells();
      }
    });
    return masks;
  }

  /// The same with masks at the size that `readout` says, made in the engine's memory.
  template <Tap<B> T = NoTap>
  [[nodiscard]] std::vector<MaskPicture<Number>> segment(std::span<const Index> tokens,
                                                         MaskPositions where,
                                                         const MaskReadout& readout,
                                                         const T& tap = {})
    requires requirement::HasMaskHead<B>
  {
    std::vector<MaskPicture<Number>> masks;
    read_masks(tokens, where, tap, [&](Activation<B, Tokens, Hidden> h) {
      Index first = 0;
      for (const Index token : tokens) {
        masks.push_back({unread_mask(token), {}, {}});
        mask_picture(engine_, stamp_, masks.back(), rows(h, first, mask_cells()), readout);
        first += mask_cells();
      }
    });
    return masks;
  }

  /// A place to come back to.
  struct Mark {
    std::size_t tokens;
    std::size_t positions;
    Index next_position;
    std::optional<std::int32_t> pending;
    std::vector<qwen2_vl::PatchGrid> unread;
    Index looks;
  };
  [[nodiscard]] Mark mark() const {
    return {ids_.size(), positions_.size(), next_position_, pending_, unread_, looks_};
  }
  /// Forgets what was read and said since. Images looked at since are forgotten, too, and with them
  /// the one before: masks need a new `look` then.
  void rewind(const Mark& mark) {
    ids_.resize(mark.tokens);
    said_from_ = std::min(said_from_, mark.tokens);
    positions_.resize(mark.positions);
    cache_.truncate(static_cast<Index>(mark.positions));
    next_position_ = mark.next_position;
    pending_ = mark.pending;
    if (looks_ == mark.looks) {
      unread_ = mark.unread;
    } else {
      unread_.clear();
      image_.reset();
    }
  }

  /// Everything read and said so far.
  [[nodiscard]] std::span<const std::int32_t> tokens() const { return ids_; }
  /// M-RoPE positions of what has run through the model.
  [[nodiscard]] std::span<const qwen2_vl::Position> positions() const { return positions_; }
  /// Grid of the image that masks are made for; empty before the first `look`.
  [[nodiscard]] const std::optional<qwen2_vl::PatchGrid>& image() const { return image_; }

 private:
  /// Of the tokens that follow: nothing, the scores of all, where the largest stands, or what top-k
  /// keeps.
  enum class Wanted { nothing, scores, largest, kept };

  [[nodiscard]] MaskRequest request_for(Index token) const {
    if (!image_) fail(Fault::usage, "segment: expected an image in the dialogue, found none");
    if (token < 0 || token >= cache_.length()) {
      fail(Fault::usage, "segment: expected a token below " + std::to_string(cache_.length()) +
                             ", found " + std::to_string(token));
    }
    return {token + 1, positions_[static_cast<std::size_t>(token)].t + 1};
  }

  /// One pass for the objects of `tokens`; read(h) gets their hidden states.
  template <class T, class Read>
  void read_masks(std::span<const Index> tokens, MaskPositions where, const T& tap,
                  const Read& read) {
    if (tokens.empty()) return;
    // A mask sees nothing behind its <|seg|>, so what was said last runs for its own mask only.
    for (const Index token : tokens) {
      if (token >= cache_.length()) flush(tap);
    }
    std::vector<MaskRequest> requests;
    for (const Index token : tokens) requests.push_back(request_for(token));
    const Index cells = mask_cells();
    cache_.reserve(engine_, room_for(engine_, cache_.length() + std::ssize(requests) * cells));
    using Features = View<const typename B::Element, Tokens, Hidden>;
    const Features all = std::as_const(features_).view();
    const Features image = rows(all, all.template axis<Tokens>().size - cells, cells);
    const auto run_at = [&]<class Where>() {
      mask_pass<Where>(engine_, stamp_, cache_, steps_, turns_, requests, image, mask_columns(),
                       tap, read);
    };
    if (where == MaskPositions::text) return run_at.template operator()<TextPositions>();
    run_at.template operator()<GridPositions>();
  }
  /// Slots and positions that a question takes beyond its prompt: those of a long answer and of a
  /// mask. Had a cache less it would move between the words and the mask.
  [[nodiscard]] Index room_ahead() const {
    return long_answer + 1 + most_guesses + (image_ ? mask_cells() : 0);
  }
  static constexpr Index long_answer = 256;
  /// Cells of the last image's merged grid.
  [[nodiscard]] Index mask_cells() const {
    return image_->patches() / stamp_.config.vision.merged_patches();
  }
  [[nodiscard]] Index mask_columns() const {
    return image_->w / stamp_.config.vision.spatial_merge_size;
  }
  [[nodiscard]] MaskLogits<Number> unread_mask(Index token) const {
    return {token, mask_cells() / mask_columns(), mask_columns(), {}};
  }

  /// The loop of phase 1; choose(row) is the token behind row `row` of the last pass.
  template <class Choose, class Said, class T>
  std::vector<std::int32_t> generate_by(std::vector<Number>& scores, Wanted wanted,
                                        std::int32_t stop, Index limit, const Choose& choose,
                                        const Said& said, const T& tap) {
    // Room for a long answer, so that words of most allocate nothing; the limit is often far more.
    const Index likely = std::clamp<Index>(limit, 0, long_answer);
    const Index room = likely + 1 + drafted_;
    cache_.reserve(engine_, room_for(engine_, cache_.length() + room));
    std::vector<std::int32_t> answer;
    for (auto* const list : {&answer, &ids_}) {
      list->reserve(list->size() + static_cast<std::size_t>(likely));
    }
    positions_.reserve(positions_.size() + static_cast<std::size_t>(room));
    turns_.turns.reserve(next_position_ + room);

    said_from_ = ids_.size();
    const Guesses guesses(*this);
    while (static_cast<Index>(answer.size()) < limit) {
      if (pending_) run_pending(scores, wanted, drafted_, tap);
      const std::size_t row = judged_;
      const std::int32_t id = choose(row);
      answer.push_back(id);
      ids_.push_back(id);
      if (row < guesses_.size() && guesses_[row] == id) {
        ++judged_;  // it has run already
      } else {
        forget_guesses();
        pending_ = id;
      }
      said(id);
      if (id == stop) break;
    }
    return answer;
  }

  /// Runs the remembered token; afterwards the cache holds all that was said.
  template <class T>
  void flush(const T& tap) {
    if (!pending_) return;
    std::vector<Number> unused;
    run_pending(unused, Wanted::nothing, 0, tap);
  }
  /// Runs the remembered token and up to `most` guesses behind it; scores are those that follow
  /// each, [1 + guesses, Vocab], unless nothing is wanted.
  template <class T>
  void run_pending(std::vector<Number>& scores, Wanted wanted, Index most, const T& tap) {
    const auto said = std::span<const std::int32_t>(ids_).subspan(said_from_);
    auto draft = draft_from(expected_, said, most);
    if (draft.empty()) draft = draft_from(ids_, most);
    ahead_.assign(1, *pending_);
    ahead_.insert(ahead_.end(), draft.begin(), draft.end());
    places_.clear();  // guesses are text
    for (Index at = next_position_; places_.size() < ahead_.size(); ++at) {
      places_.push_back({at, at, at});
    }
    const Index scored = wanted == Wanted::nothing ? 0 : std::ssize(ahead_);
    run(scores, wanted, ahead_, places_, {0, scored}, tap);
    guesses_.assign(ahead_.begin() + 1, ahead_.end());
    pending_.reset();
    ++passes_;
  }

  /// The cache and the positions are again those of what was said.
  void forget_guesses() {
    const auto wrong = static_cast<Index>(guesses_.size() - judged_);
    cache_.truncate(cache_.length() - wrong);
    positions_.resize(positions_.size() - static_cast<std::size_t>(wrong));
    next_position_ -= wrong;
    guesses_.clear();
    judged_ = 0;
  }
  /// However an answer ends, its last guesses are forgotten.
  class Guesses {
   public:
    explicit Guesses(Dialogue& dialogue) : dialogue_(dialogue) {}
    Guesses(const Guesses&) = delete;
    Guesses& operator=(const Guesses&) = delete;
    Guesses(Guesses&&) = delete;
    Guesses& operator=(Guesses&&) = delete;
    ~Guesses() { dialogue_.forget_guesses(); }

   private:
    Dialogue& dialogue_;
  };

  /// Runs tokens through the model behind what the cache holds. When it throws, the dialogue is as
  /// it was. `scored` are the tokens of which something is wanted: scores [scored, Vocab], the
  /// places of the largest, in largest_, or what top-k keeps, in kept_.
  template <class T>
  void run(std::vector<Number>& scores, Wanted wanted, std::span<const std::int32_t> ids,
           std::span<const qwen2_vl::Position> positions, KeyRange scored, const T& tap) {
    const auto frame = engine_.frame();
    const Index count = static_cast<Index>(ids.size());
    cache_.reserve(engine_, room_for(engine_, cache_.length() + count));
    const auto logits = engine_.template allocate<typename B::Element>(
        Tokens{scored.size()}, stamp_.model.embed_tokens.vocab);
    // From here on what a word brings along stands side by side, so that it can travel as one.
    auto x = stamp_.model.embed_tokens(engine_, ids);
    place_features(x, ids);
    const auto text = tap.within("language");
    text.record(engine_, "embeddings", x);
    const auto at = qwen2_vl::text_rotary(engine_, positions, stamp_.config.text, turns_);
    steps_.words(engine_, cache_, x, scored, logits.data(), text, [&](auto slot, auto mask) {
      stamp_.model(engine_, x, at, cache_, slot, mask, text);
      if (scored.size() > 0) score(x, scored, logits, text);
    });
    take(scores, wanted, logits);
    positions_.insert(positions_.end(), positions.begin(), positions.end());
    for (const auto& position : positions) {
      next_position_ = std::max(next_position_, position.largest() + 1);
    }
    cache_.advance(count);
  }

  /// logits = the scores that follow the rows `scored` of x.
  template <class T>
  void score(Activation<B, Tokens, Hidden> x, KeyRange scored, Activation<B, Tokens, Vocab> logits,
             const T& tap) {
    if (tap.listens()) tap.record(engine_, "norm", stamp_.model.norm(engine_, x));
    const auto last = stamp_.model.norm(engine_, rows(x, scored.begin, scored.size()));
    stamp_.logits(engine_, logits, last);
    const Vocab vocab = logits.template axis<Vocab>();
    tap.record(engine_, "logits", View<typename B::Element, Vocab>(logits.data(), vocab));
  }

  /// Of scores what is wanted, for the host.
  void take(std::vector<Number>& scores, Wanted wanted, Activation<B, Tokens, Vocab> logits) {
    if (wanted == Wanted::nothing) return;
    if (wanted == Wanted::largest) {
      largest_.resize(static_cast<std::size_t>(logits.extents()[0]));
      first_largest(engine_, std::span(largest_), logits);
      return;
    }
    if (wanted == Wanted::kept) {
      // What runs are words: the last one said, and guesses behind it.
      top_k(engine_, kept_, logits, how_, ids_, std::span(ahead_).subspan(1));
      return;
    }
    scores.resize(static_cast<std::size_t>(logits.size()));
    engine_.download(std::span(scores), logits);
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
  }

  B& engine_;
  const Stamp<B>& stamp_;
  KvCache<B> cache_;
  Steps<B> steps_;
  typename B::template Kept<Tokens, Hidden> features_;
  qwen2_vl::TextTurns<B> turns_;
  std::vector<qwen2_vl::PatchGrid> unread_;
  std::optional<qwen2_vl::PatchGrid> image_;
  std::vector<std::int32_t> ids_;
  std::vector<qwen2_vl::Position> positions_;
  Index next_position_ = 0;
  Index looks_ = 0;
  std::optional<std::int32_t> pending_;

  std::vector<std::int32_t> largest_;  ///< scratch: one a row of the last pass
  KeptScores kept_;                    ///< scratch: of the rows of the last pass
  TopK how_;                           ///< what is kept of them
  Index drafted_ = 0;
  std::vector<std::vector<std::int32_t>> expected_;
  std::size_t said_from_ = 0;  ///< of ids_, the first token of this answer
  Index passes_ = 0;
  std::vector<std::int32_t> guesses_;  ///< have run behind what was said
  std::size_t judged_ = 0;             ///< of them, found right
  std::vector<std::int32_t> ahead_;    ///< scratch: what runs in one pass
  std::vector<qwen2_vl::Position> places_;
};

}  // namespace stamp
