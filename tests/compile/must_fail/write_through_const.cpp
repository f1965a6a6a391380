// SPDX-License-Identifier: Apache-2.0
// An input view is read, never written.
//
// g++ says: deduced conflicting types for parameter 'T' ('float' and 'const float')
// clang++ says: deduced conflicting types for parameter 'T' ('float' vs. 'const float')
#include <stamp/reference/engine.hpp>

using Engine = stamp::reference::Engine<float>;

void overwrite(Engine& engine, stamp::View<float, stamp::Tokens, stamp::Hidden> y,
               stamp::View<const float, stamp::Tokens, stamp::Hidden> input) {
#ifdef MUST_FAIL
  add(engine, input, y);
#else
  add(engine, y, input);
#endif
}
