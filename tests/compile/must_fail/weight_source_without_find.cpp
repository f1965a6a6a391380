// SPDX-License-Identifier: Apache-2.0
// Weights come from something with find(name).
//
// g++ says: the required expression 'source.find(name)' is invalid
// clang++ says: because 'Source' does not satisfy 'WeightSource'
#include <optional>
#include <stamp/nn/linear.hpp>
#include <stamp/reference/engine.hpp>

using Engine = stamp::reference::Engine<float>;

struct Source {
#ifndef MUST_FAIL
  std::optional<stamp::StoredTensor> find(std::string_view) const { return {}; }
#endif
};

void load(Engine& engine, stamp::Linear<Engine, stamp::Hidden, stamp::Ffn>& layer) {
  stamp::bind(engine, layer, Source{});
}
