// SPDX-License-Identifier: Apache-2.0
// A tap is told the name of every activation of the contract as it is computed.
#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <stamp/ops/backend.hpp>
#include <string>
#include <string_view>

namespace stamp {

/// Listens to activations: record(engine, name, view), record(engine, name, index, view) for
/// "name.index", record(name, shape, numbers) for what is in host memory already, and
/// within(prefix) for the same tap under "prefix.". Where `listens()` is false nothing is kept, and
/// what only a tap wants need not be computed.
template <class T, class B>
concept Tap = requires(T tap, B& engine, View<const typename B::Element, Tokens, Hidden> view,
                       std::span<const typename B::Number> numbers) {
  tap.record(engine, std::string_view{}, view);
  tap.record(engine, std::string_view{}, Index{}, view);
  tap.record(std::string_view{}, std::initializer_list<Index>{}, numbers);
  tap.within(std::string{});
  { tap.listens() } -> std::convertible_to<bool>;
};

/// Listens to nothing and leaves no trace in the program.
struct NoTap {
  template <class B, class V>
  static void record(B&, std::string_view, const V&) {}
  template <class B, class V>
  static void record(B&, std::string_view, Index, const V&) {}
  template <class Number>
  static void record(std::string_view, std::initializer_list<Index>, std::span<const Number>) {}
  static constexpr bool listens() { return false; }
  template <class Prefix>
  static NoTap within(const Prefix&) {
    return {};
  }
};

}  // namespace stamp
