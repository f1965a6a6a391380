// SPDX-License-Identifier: Apache-2.0
// The passes of a dialogue that come again, word after word and mask after mask, whatever its
// length: an engine that can replays one recording for many of them.
#pragma once

#include <span>
#include <stamp/nn/kv_cache.hpp>
#include <stamp/observe/tap.hpp>
#include <stamp/ops/replay.hpp>
#include <vector>

namespace stamp {

namespace detail {
/// An engine that records nothing keeps nothing.
template <class B>
struct RecordedSteps {};
template <Replays B>
struct RecordedSteps<B> {
  typename B::Recordings recordings;
  Index capacity = 0;  ///< of the cache whose addresses are in the recordings
};
}  // namespace detail

/// Slots that a cache must have room for, so that passes may reach `slots` of them.
template <Backend B>
[[nodiscard]] Index room_for(B& engine, Index slots) {
  if constexpr (Replays<B>) return engine.reach(slots);
  return slots;
}

/// Runs passes over the end of one cache with one model, recorded where that is possible. A pass is
/// pass(slot, mask): launches only. Who listens to activations gets them from plain passes.
template <Backend B>
class Steps {
 public:
  /// A causal pass of rows x behind what the cache holds, of which `scored` are scored. `scratch`
  /// is the first scratch memory of the frame (StepShape::first).
  template <Tap<B> T, class Pass>
  void words(B& engine, const KvCache<B>& cache, Activation<B, Tokens, Hidden> x, KeyRange scored,
             const void* scratch, const T& tap, const Pass& pass) {
    const Index first = cache.length();
    if constexpr (Replays<B>) {
      // Longer ones are prompts, and no two of those are alike.
      constexpr Index longest = 8;
      const Index rows = x.template axis<Tokens>().size;
      if (rows <= longest && !tap.listens()) {
        places_.assign(1, static_cast<std::int32_t>(first));
        const std::int32_t* const at = places(engine);
        const StepShape shape{.kind = StepShape::Kind::words,
                              .rows = rows,
                              .reach = engine.reach(first + rows),
                              .scored = scored.begin,
                              .wanted = scored.size(),
                              .first = scratch,
                              .last = at};
        return replay(engine, cache, shape, [&] { pass(SlotAt{at, shape.reach}, CausalAt{at}); });
      }
    }
    pass(first, Causal{first});
  }

  /// A pass of mask tokens x, `masks` an object, each of which sees one of `histories`; x is the
  /// first scratch memory of the frame.
  template <Tap<B> T, class Pass>
  void masks(B& engine, const KvCache<B>& cache, Activation<B, Tokens, Hidden> x, Index masks,
             std::span<const std::int32_t> histories, const T& tap, const Pass& pass) {
    const Index first = cache.length();
    const auto objects = static_cast<Index>(histories.size());
    if constexpr (Replays<B>) {
      if (!tap.listens()) {
        places_.assign(1, static_cast<std::int32_t>(first));
        places_.insert(places_.end(), histories.begin(), histories.end());
        const std::int32_t* const at = places(engine);
        const StepShape shape{.kind = StepShape::Kind::masks,
                              .rows = objects * masks,
                              .reach = engine.reach(first + objects * masks),
                              .wanted = objects,
                              .first = x.data(),
                              .last = at};
        return replay(engine, cache, shape,
                      [&] { pass(SlotAt{at, shape.reach}, MaskBlocksAt{at, masks}); });
      }
    }
    if (objects == 1) return pass(first, MaskRows{histories[0], first, masks});
    auto lengths = engine.template allocate<std::int32_t>(Tokens{objects});
    engine.upload(lengths, histories);
    pass(first, MaskBlocks{lengths.data(), first, masks});
  }

 private:
  /// places_, which change from step to step, in the engine's memory.
  [[nodiscard]] const std::int32_t* places(B& engine) {
    auto view = engine.template allocate<std::int32_t>(Tokens{static_cast<Index>(places_.size())});
    engine.upload(view, std::span<const std::int32_t>(places_));
    return view.data();
  }

  template <class Pass>
  void replay(B& engine, const KvCache<B>& cache, const StepShape& shape, const Pass& pass) {
    if (cache.capacity() != recorded_.capacity) {  // it has moved
      recorded_.recordings.clear();
      recorded_.capacity = cache.capacity();
    }
    engine.replay(recorded_.recordings, shape, pass);
  }

  [[no_unique_address]] detail::RecordedSteps<B> recorded_;
  std::vector<std::int32_t> places_;  ///< scratch
};

}  // namespace stamp
