// SPDX-License-Identifier: Apache-2.0
// What an engine may offer beyond ops/backend.hpp: to record the launches of a step and to run them
// again for later steps, where launching them one by one would take longer than running them.
#pragma once

#include <compare>
#include <stamp/ops/backend.hpp>
#include <stamp/ops/cursor.hpp>

namespace stamp {

/// What makes the launches of two steps of one model over one cache the same, numbers in the
/// engine's memory aside. `first` and `last` are the addresses of the first and the last piece of
/// scratch memory that was asked for before the launches: an arena gives what follows by what went
/// before, so equal steps then use equal addresses, and a step that starts elsewhere is another.
struct StepShape {
  enum class Kind { words, masks };
  Kind kind = Kind::words;
  Index rows = 0;    ///< tokens that run
  Index reach = 0;   ///< no slot of the cache from here on is seen
  Index scored = 0;  ///< of the rows, the first that is scored
  Index wanted = 0;  ///< how many rows are scored, or how many objects there are
  const void* first = nullptr;
  const void* last = nullptr;
  auto operator<=>(const StepShape&) const = default;
};

/// B::Recordings keeps recorded steps, clear() forgets them.
/// engine.reach(keys) is a number of keys that is the same for many steps, `keys` or a little more.
/// engine.replay(recordings, shape, body) does what body() does. For a shape that it has recorded
/// it may do so without calling it, so body only launches: it moves no numbers between host and
/// engine, and its operands, the addresses of scratch memory too, follow from the shape.
/// rotate_and_store (ops/fused.hpp) with a SlotAt for its last argument writes row i to slot
/// *first + i of keys and values, which have `reach` slots.
template <class B>
concept Replays = Backend<B> && requires(B& engine, typename B::Recordings& recordings,
                                         View<typename B::Element, Tokens, Heads, HeadDim> query,
                                         View<typename B::Element, Keys, KvHeads, HeadDim> keys,
                                         View<typename B::Element, Tokens, KvHeads, HeadDim> key,
                                         View<const typename B::Number, Tokens, Pairs> angle) {
  { engine.reach(Index{1}) } -> std::same_as<Index>;
  engine.replay(recordings, StepShape{}, [] {});
  recordings.clear();
  rotate_and_store(engine, query, keys, keys, key, key, angle, angle, SlotAt{});
};

}  // namespace stamp
