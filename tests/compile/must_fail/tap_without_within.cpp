// SPDX-License-Identifier: Apache-2.0
// A model says what its tap lacks: this one hears activations, but has no names within names.
//
// g++ says: the required expression 'tap.within(
// clang++ says: would be invalid: no member named 'within' in 'Ear'
#include <stamp/reference/engine.hpp>
#include <stamp/stamp.hpp>

using Engine = stamp::reference::Engine<float>;

struct Ear {
  template <class View>
  void record(Engine&, std::string_view, const View&) const {}
  template <class View>
  void record(Engine&, std::string_view, stamp::Index, const View&) const {}
  void record(std::string_view, std::initializer_list<stamp::Index>,
              std::span<const float>) const {}
  [[nodiscard]] bool listens() const { return true; }
#ifndef MUST_FAIL
  [[nodiscard]] Ear within(const std::string&) const { return {}; }
#endif
};

void read(stamp::Dialogue<Engine>& dialogue, std::span<const std::int32_t> ids) {
  (void)dialogue.read(ids, 0, Ear{});
}
