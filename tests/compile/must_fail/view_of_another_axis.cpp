// SPDX-License-Identifier: Apache-2.0
// A view of the vision tower is not one of the language model.
//
// g++ says: could not convert 'features' from 'View<float,stamp::Patches, stamp::VisionHidden>' to 'View<const float,stamp::Tokens, stamp::Hidden>'
// clang++ says: no known conversion from 'stamp::View<float, stamp::Patches, stamp::VisionHidden>'
#include <stamp/reference/engine.hpp>

using Engine = stamp::reference::Engine<float>;

void residual(Engine& engine, stamp::View<float, stamp::Tokens, stamp::Hidden> x,
              stamp::View<float, stamp::Patches, stamp::VisionHidden> features) {
#ifdef MUST_FAIL
  add(engine, x, features);
#else
  add(engine, x, x);
  add(engine, features, features);
#endif
}
