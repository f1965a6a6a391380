// SPDX-License-Identifier: Apache-2.0
// The reference engine's state: its threads, its scratch memory, and the way in and out.
#pragma once

#include <span>
#include <stamp/reference/matrix.hpp>
#include <stamp/reference/threads.hpp>
#include <stamp/tensor/arena.hpp>
#include <thread>

namespace stamp::reference {

/// Runs every operation on the host in the plainest way. `T` is the type of activations: float,
/// double (the yardstick of the parity tests), bfloat16 or half. One engine serves one thread.
template <Element T>
class Engine {
 public:
  using Element = T;
  using Number = Accumulator<T>;
  template <Axis Out, Axis In>
  using Matrix = reference::Matrix<Out, In>;
  template <Axis Rows, Axis Width>
  using Table = reference::Matrix<Rows, Width>;
  template <Axis A>
  using Vector = Tensor<Number, A>;
  template <Axis... Axes>
  using Kept = Tensor<T, Axes...>;

  explicit Engine(Index threads = static_cast<Index>(std::thread::hardware_concurrency()))
      : threads_(threads < 1 ? 1 : threads) {}

  [[nodiscard]] Arena::Frame frame() { return Arena::Frame(arena_); }

  template <class U, Axis... Axes>
  [[nodiscard]] View<U, Axes...> allocate(Axes... axes) {
    return View<U, Axes...>(arena_.allocate<U>(checked_size("activation", axes...)), axes...);
  }

  template <Axis... Axes>
  [[nodiscard]] Kept<Axes...> keep(Axes... axes) {
    return Kept<Axes...>(axes...);
  }

  template <Axis Out, Axis In>
  [[nodiscard]] Matrix<Out, In> matrix(const StoredTensor& stored, Out out, In in) {
    return {stored, out, in};
  }

  template <Axis Rows, Axis Width>
  [[nodiscard]] Table<Rows, Width> table(const StoredTensor& stored, Rows rows, Width width) {
    return {stored, rows, width};
  }

  /// Rounded to T, as PyTorch keeps a model's vectors in the model's type.
  template <Axis A>
  [[nodiscard]] Vector<A> vector(const StoredTensor& stored, A axis) {
    Vector<A> kept(axis);
    widen_stored(stored, 0, axis.size, kept.values().data());
    for (Number& value : kept.values()) value = widen(narrow<T>(value));
    return kept;
  }

  /// Host numbers into a dense view, rounded to its type.
  template <class To, class From, Axis... Axes>
  void upload(View<To, Axes...> view, std::span<const From> numbers) {
    check_count("upload", view.size(), numbers.size());
    for (Index at = 0; at < view.size(); ++at) {
      view.data()[at] = static_cast<To>(numbers[static_cast<std::size_t>(at)]);
    }
  }

  /// A dense view into host numbers.
  template <class From, Axis... Axes>
  void download(std::span<Number> numbers, View<From, Axes...> view) {
    check_count("download", view.size(), numbers.size());
    for (Index at = 0; at < view.size(); ++at) {
      numbers[static_cast<std::size_t>(at)] = static_cast<Number>(view.data()[at]);
    }
  }

  [[nodiscard]] Threads& threads() { return threads_; }
  [[nodiscard]] const Arena& arena() const { return arena_; }

 private:
  Threads threads_;
  Arena arena_;
};

}  // namespace stamp::reference
