// SPDX-License-Identifier: Apache-2.0
// The fast CPU engine's state: its threads, its kernels, its scratch memory, the way in and out.
#pragma once

#include <algorithm>
#include <span>
#include <stamp/cpu/panels.hpp>
#include <stamp/cpu/simd/amx.hpp>
#include <stamp/cpu/simd/avx2.hpp>
#include <stamp/nn/precision.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/tensor/arena.hpp>
#include <stamp/tensor/tensor.hpp>
#include <string>

namespace stamp::cpu {

/// What engines run on where nobody says: the best of this processor whose kernels were seen to
/// work. Tiles are tried once, against vectors, before anything relies on them.
[[nodiscard]] inline Isa best_isa() {
  const Isa detected = detected_isa();
  static const bool tiles = detected == Isa::amx && amx::tiles_agree_with_vectors();
  return detected == Isa::amx && !tiles ? Isa::avx512 : detected;
}

/// How the engine keeps a weight that multiplies.
template <Axis Out, Axis In>
struct Matrix {
  Panels panels;
  Out out{0};
  In in{0};
};

/// An embedding table stays where it is stored: few of its rows are ever read.
template <Axis Rows, Axis Width>
struct Table {
  StoredTensor stored;
  Rows rows{0};
  Width width{0};
};

/// Activations are float32; what the big matrices are kept and multiplied in is chosen when the
/// engine is made. The same input, Compute and Isa give the same bits with any number of threads.
/// One engine serves one thread.
class Engine {
 public:
  using Element = float;
  using Number = float;
  template <Axis Out, Axis In>
  using Matrix = cpu::Matrix<Out, In>;
  template <Axis Rows, Axis Width>
  using Table = cpu::Table<Rows, Width>;
  template <Axis A>
  using Vector = Tensor<float, A>;
  template <Axis... Axes>
  using Kept = Tensor<float, Axes...>;

  explicit Engine(Index threads = static_cast<Index>(std::thread::hardware_concurrency()))
      : Engine(threads, best_compute(best_isa())) {}
  /// Error{resource} when the processor lacks AVX2, or what `compute` needs.
  Engine(Index threads, Compute compute) : Engine(threads, compute, best_isa()) {}
  /// With the kernels of a weaker instruction set than the processor's, for tests.
  Engine(Index threads, Compute compute, Isa isa)
      : compute_(compute),
        isa_(isa),
        kernels_(kernels_of(isa, compute)),
        pool_(std::max<Index>(threads, 1)) {}

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
    // Few outputs are no big matrix: the mask classifier stays in float32.
    const Compute type = out.size < 16 ? Compute::fp32 : weights_;
    return {pack(pool_, *kernels_, stored, out.size, in.size, type), out, in};
  }

  /// stamp::bind says whose weights come next.
  void binding(std::string_view leaf) {
    weights_ = compute_ == Compute::int8 && stays_bf16(leaf) ? Compute::bf16 : compute_;
  }

  template <Axis Rows, Axis Width>
  [[nodiscard]] Table<Rows, Width> table(const StoredTensor& stored, Rows rows, Width width) {
    return {stored, rows, width};
  }

  template <Axis A>
  [[nodiscard]] Vector<A> vector(const StoredTensor& stored, A axis) {
    Vector<A> kept(axis);
    widen_stored(stored, 0, axis.size, kept.values().data());
    return kept;
  }

  /// Host numbers into a dense view.
  template <class To, class From, Axis... Axes>
  void upload(View<To, Axes...> view, std::span<const From> numbers) {
    check_count("upload", view.size(), numbers.size());
    std::copy(numbers.begin(), numbers.end(), view.data());
  }

  /// A dense view into host numbers.
  template <class From, Axis... Axes>
  void download(std::span<float> numbers, View<From, Axes...> view) {
    check_count("download", view.size(), numbers.size());
    std::copy_n(view.data(), numbers.size(), numbers.begin());
  }

  [[nodiscard]] Compute compute() const { return compute_; }
  [[nodiscard]] Isa isa() const { return isa_; }
  [[nodiscard]] const Kernels& kernels() const { return *kernels_; }
  [[nodiscard]] Pool& pool() { return pool_; }
  [[nodiscard]] Arena& arena() { return arena_; }

 private:
  static const Kernels* kernels_of(Isa isa, Compute compute) {
    if (isa == Isa::none || isa > detected_isa()) {
      fail(Fault::resource, "cpu backend: expected a processor with AVX2 and FMA, found one with " +
                                std::string(name_of(detected_isa())));
    }
    if (isa == Isa::amx) return &amx::kernels;
    if (isa == Isa::avx512) return &avx512::kernels;
    if (compute != Compute::fp32) {
      fail(Fault::resource, "cpu backend: " + std::string(name_of(compute)) +
                                ": expected a processor with AVX512-VNNI and AVX512-BF16, found " +
                                std::string(name_of(isa)));
    }
    return &avx2::kernels;
  }

  Compute compute_;
  Compute weights_ = compute_;  ///< of the leaf that is being bound
  Isa isa_;
  const Kernels* kernels_;
  Arena arena_;
  Pool pool_;
};

}  // namespace stamp::cpu
