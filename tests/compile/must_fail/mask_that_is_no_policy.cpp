// SPDX-License-Identifier: Apache-2.0
// A dense matrix of bools is not a mask policy: policies name intervals.
//
// g++ says: required for the satisfaction of 'MaskPolicy<Mask>'
// clang++ says: 'std::vector<bool>' does not satisfy 'MaskPolicy'
#include <stamp/reference/engine.hpp>
#include <vector>

using Engine = stamp::reference::Engine<float>;
using Query = stamp::View<float, stamp::Tokens, stamp::Heads, stamp::HeadDim>;
using Key = stamp::View<const float, stamp::Keys, stamp::KvHeads, stamp::HeadDim>;

void run(Engine& engine, Query y, Query query, Key key) {
#ifdef MUST_FAIL
  attend(engine, y, query, key, key, 1.0, std::vector<bool>(9));
#else
  attend(engine, y, query, key, key, 1.0, stamp::Causal{});
#endif
}
