// SPDX-License-Identifier: Apache-2.0
// A layer that leaves Ffn cannot be followed by one that takes Hidden.
//
// g++ says: mismatched types 'stamp::Hidden' and 'stamp::Ffn'
// clang++ says: could not match 'stamp::Hidden' against 'stamp::Ffn'
#include <stamp/nn/linear.hpp>
#include <stamp/reference/engine.hpp>

using Engine = stamp::reference::Engine<float>;

void chain(Engine& engine, stamp::View<float, stamp::Tokens, stamp::Hidden> x,
           const stamp::Linear<Engine, stamp::Hidden, stamp::Ffn>& up,
           const stamp::Linear<Engine, stamp::Hidden, stamp::Ffn>& again) {
#ifdef MUST_FAIL
  (void)again(engine, up(engine, x));
#else
  (void)again(engine, x);
  (void)up(engine, x);
#endif
}
