// SPDX-License-Identifier: Apache-2.0
// The harness of the operation tests: the engines they run on, the tolerance of each element type,
// operands that stand in an engine's memory and on the host at once. A new backend joins by adding
// its engines to `Engines`; it needs nothing but what requirement::GivesMemory and MovesNumbers
// ask.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <cuda_engines.hpp>
#include <optional>
#include <parity/random_weights.hpp>
#include <stamp/cpu/engine.hpp>
#include <stamp/reference/engine.hpp>
#include <stamp/tensor/half.hpp>
#include <stamp/tensor/reshape.hpp>
#include <string>
#include <vector>

namespace stamp::test {

/// The fast backend in float32, with the kernels of one instruction set (or of the best that this
/// processor has, where it lacks that one). Its bf16 and int8 products round on purpose; they have
/// tests of their own.
template <cpu::Isa wanted>
struct CpuEngine : cpu::Engine {
  explicit CpuEngine(Index threads)
      : cpu::Engine(threads, cpu::Compute::fp32, std::min(wanted, cpu::best_isa())) {}
};

/// The engine whose own steps of ops/fused.hpp and ops/windows.hpp are to be tested: those of the
/// fast backend take its Engine, and for what is derived from it the written-out step fits better.
template <class B>
[[nodiscard]] auto& own_steps(B& engine) {
  if constexpr (std::derived_from<B, cpu::Engine>) {
    return static_cast<cpu::Engine&>(engine);
  } else {
    return engine;
  }
}

/// Every engine that is built.
using Engines =
    AndCuda<reference::Engine<float>, reference::Engine<double>, reference::Engine<bfloat16>,
            reference::Engine<half>, CpuEngine<cpu::Isa::avx2>, CpuEngine<cpu::Isa::avx512>>;

/// Names of the instances in the test report.
struct EngineName {
  template <class B>
  static std::string GetName(int) {
    using T = typename B::Element;
    if (const std::string cuda = cuda_name<B>(); !cuda.empty()) return cuda;
    if (std::same_as<B, CpuEngine<cpu::Isa::avx2>>) return "cpu_avx2";
    if (std::same_as<B, CpuEngine<cpu::Isa::avx512>>) return "cpu_avx512";
    if (std::same_as<T, float>) return "reference_float";
    if (std::same_as<T, double>) return "reference_double";
    if (std::same_as<T, bfloat16>) return "reference_bfloat16";
    return "reference_half";
  }
};

/// |found - expected| <= absolute + relative·|expected|.
struct Tolerance {
  double absolute;
  double relative;
};

/// For operands of order one and sums of up to a few hundred terms. `absolute` is the error of the
/// sums (Accumulator), `relative` two roundings to the element: 2·2^-(significant bits).
template <Element T>
[[nodiscard]] constexpr Tolerance tolerance() {
  if (std::same_as<T, double>) return {1e-13, 1e-13};
  if (std::same_as<T, float>) return {1e-5, 1e-6};
  if (std::same_as<T, bfloat16>) return {1e-5, 0x1.02p-7};
  return {1e-5, 0x1.01p-10};  // half
}

/// Attention in bfloat16 on tensor cores rounds the weights of the values, each by at most 2^-9 of
/// itself: with values below one that moves a sum of them by at most 2^-9.
template <Backend B>
[[nodiscard]] constexpr Tolerance attend_tolerance() {
  constexpr Tolerance plain = tolerance<typename B::Element>();
  if (is_cuda<B> && std::same_as<typename B::Element, bfloat16>) return {0x1p-9, plain.relative};
  return plain;
}

/// What a number becomes when it is stored as T.
template <Element T>
[[nodiscard]] double rounded(double value) {
  return static_cast<double>(widen(narrow<T>(static_cast<Accumulator<T>>(value))));
}

/// The sentence of the Error{usage} that `action` throws; a test failure when it throws none.
template <class Action>
[[nodiscard]] std::string usage_error(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an error, found none";
  return {};
}

/// A matrix [R, C] of random numbers (or given ones) in the engine's memory, and the same numbers
/// after rounding on the host. With a margin it is a column slice of a wider matrix, and `found()`
/// checks that what stands beside the slice was left alone.
template <Backend B, Axis R, Axis C>
class Operand {
 public:
  using Element = typename B::Element;
  using Number = typename B::Number;

  Operand(B& engine, R row, C column, std::uint64_t seed, Index margin = 0, double scale = 1)
      : engine_(engine),
        rows_(row.size),
        columns_(column.size),
        margin_(margin),
        whole_(engine.template allocate<Element>(row, Merged{column.size + 2 * margin})),
        values_(random_numbers(row.size * column.size, seed, scale)) {
    for (double& value : values_) value = rounded<Element>(value);
    put();
  }

  /// Replaces the numbers by f(row, column, old).
  template <class F>
  void change(const F& f) {
    for (Index row = 0; row < rows_; ++row) {
      for (Index column = 0; column < columns_; ++column) {
        double& value = values_[static_cast<std::size_t>(row * columns_ + column)];
        value = rounded<Element>(f(row, column, value));
      }
    }
    put();
  }

  [[nodiscard]] View<Element, R, C> view() const {
    return rename<R, C>(columns(whole_, margin_, C{columns_}));
  }
  [[nodiscard]] View<const Element, R, C> input() const { return view(); }

  /// Before the operation, exactly.
  [[nodiscard]] const std::vector<double>& values() const { return values_; }

  /// After the operation.
  [[nodiscard]] std::vector<double> found() const {
    std::vector<Number> all(static_cast<std::size_t>(whole_.size()));
    engine_.download(std::span(all), whole_);
    std::vector<double> inside;
    const Index width = columns_ + 2 * margin_;
    for (Index at = 0; at < whole_.size(); ++at) {
      const Index column = at % width - margin_;
      const auto value = static_cast<double>(all[static_cast<std::size_t>(at)]);
      if (column >= 0 && column < columns_) {
        inside.push_back(value);
      } else {
        EXPECT_EQ(value, canary) << "the operation wrote beside its view, at " << at;
      }
    }
    return inside;
  }

 private:
  static constexpr double canary = -24;

  void put() {
    const Index width = columns_ + 2 * margin_;
    std::vector<Number> all(static_cast<std::size_t>(rows_ * width), static_cast<Number>(canary));
    for (Index row = 0; row < rows_; ++row) {
      for (Index column = 0; column < columns_; ++column) {
        all[static_cast<std::size_t>(row * width + margin_ + column)] =
            static_cast<Number>(values_[static_cast<std::size_t>(row * columns_ + column)]);
      }
    }
    engine_.upload(whole_, std::span<const Number>(all));
  }

  B& engine_;
  Index rows_;
  Index columns_;
  Index margin_;
  View<Element, R, Merged> whole_;
  std::vector<double> values_;
};

/// A weight as a file would store it: any float type, any alignment.
class StoredWeight {
 public:
  StoredWeight(ElementType type, std::vector<Index> shape, std::uint64_t seed, Index offset = 0) {
    stored_.type = type;
    stored_.rank = shape.size();
    std::ranges::copy(shape, stored_.extents.begin());
    const Index size = stored_.size();
    bytes_.resize(static_cast<std::size_t>(size * bytes_of(type) + offset + 8));
    stored_.data = bytes_.data() + offset;
    for (const double drawn : random_numbers(size, seed)) {
      switch (type) {
        case ElementType::float32:
          push<float>(drawn, offset);
          break;
        case ElementType::float64:
          push<double>(drawn, offset);
          break;
        case ElementType::bfloat16:
          push<bfloat16>(drawn, offset);
          break;
        default:
          push<half>(drawn, offset);
      }
    }
  }
  StoredWeight(const StoredWeight&) = delete;
  StoredWeight& operator=(const StoredWeight&) = delete;

  [[nodiscard]] const StoredTensor& stored() const { return stored_; }
  [[nodiscard]] const std::vector<double>& values() const { return values_; }
  /// As an engine keeps a vector: rounded to its element type.
  template <Element T>
  [[nodiscard]] std::vector<double> rounded_to() const {
    std::vector<double> result;
    for (const double value : values_) result.push_back(rounded<T>(value));
    return result;
  }

 private:
  template <Element T>
  void push(double value, Index offset) {
    const T element = narrow<T>(static_cast<Accumulator<T>>(value));
    std::memcpy(bytes_.data() + offset + static_cast<Index>(values_.size() * sizeof(T)),
                static_cast<const void*>(&element), sizeof(T));
    values_.push_back(rounded<T>(value));
  }

  std::vector<std::byte> bytes_;
  StoredTensor stored_;
  std::vector<double> values_;
};

/// The numbers that an engine multiplies with: as stored, or as it keeps them.
template <Backend B>
[[nodiscard]] std::vector<double> multiplied(const StoredWeight& weight) {
  return rounds_weights<B> ? weight.rounded_to<typename B::Element>() : weight.values();
}

/// Every number within the tolerance of T; says which is the worst and by how much.
template <Element T>
void expect_close(const std::vector<double>& expected, const std::vector<double>& found,
                  const std::string& what, Tolerance allowed = tolerance<T>()) {
  ASSERT_EQ(expected.size(), found.size()) << what;
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t at = 0; at < expected.size(); ++at) {
    const double limit = allowed.absolute + allowed.relative * std::abs(expected[at]);
    const double share = std::abs(found[at] - expected[at]) / limit;
    if (!(share <= worst)) {  // NaN is the worst of all
      worst = share;
      where = at;
    }
    if (std::isnan(share)) break;
  }
  EXPECT_LE(worst, 1.0) << what << ": number " << where << " of " << expected.size() << " is "
                        << found[where] << ", expected " << expected[where]
                        << "; shares of the tolerance used: " << worst;
}

/// One engine a test, with a frame around it. An engine that cannot run here is not made, and its
/// tests are skipped.
template <class B>
class Operation : public ::testing::Test {
 private:
  union Room {  // for an engine that may not be made
    B engine;
    Room() {}   // NOLINT(modernize-use-equals-default)
    ~Room() {}  // NOLINT(modernize-use-equals-default)
  };
  struct Scratch {
    decltype(std::declval<B&>().frame()) frame;
    explicit Scratch(B& engine) : frame(engine.frame()) {}
  };
  static void skip(const std::string& reason) { GTEST_SKIP() << reason; }

  Room room_;
  std::optional<Scratch> scratch_;

 protected:
  Operation() {
    if (const std::string reason = why_not_here<B>(); !reason.empty()) {
      skip(reason);
      return;
    }
    std::construct_at(&room_.engine, 3);
    scratch_.emplace(room_.engine);
  }
  ~Operation() override {
    if (!scratch_) return;
    scratch_.reset();
    std::destroy_at(&room_.engine);
  }

  B& backend = room_.engine;
};

}  // namespace stamp::test
