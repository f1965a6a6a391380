// SPDX-License-Identifier: Apache-2.0
// Attention takes heads; the columns of a product have to be split into them first.
//
// g++ says: no matching function for call to 'rotate(Engine&, stamp::View<float, stamp::Tokens, stamp::Queries>&
// clang++ says: no matching function for call to 'rotate'
#include <stamp/reference/engine.hpp>
#include <stamp/tensor/reshape.hpp>

using Engine = stamp::reference::Engine<float>;

void turn(Engine& engine, stamp::View<float, stamp::Tokens, stamp::Queries> query,
          stamp::View<const float, stamp::Tokens, stamp::Pairs> angle) {
#ifdef MUST_FAIL
  rotate(engine, query, angle, angle);
#else
  rotate(engine, stamp::split(query, stamp::Heads{2}, stamp::HeadDim{4}), angle, angle);
#endif
}
