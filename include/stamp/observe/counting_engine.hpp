// SPDX-License-Identifier: Apache-2.0
// A backend that computes nothing and counts what another would: floating-point operations and the
// bytes of weights and cache. Its tensors have shapes and no memory, so a 7B model fits anywhere.
//   counting::Engine engine; Stamp<counting::Engine> stamp(config);
//   bind(engine, stamp, counting::NoWeights(expected_tensors(stamp))); … engine.counts
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <stamp/nn/module.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/ops/sam_backend.hpp>
#include <stamp/tensor/tensor.hpp>
#include <string>
#include <vector>

namespace stamp::counting {

/// One multiplication with its addition is two operations.
struct Counts {
  double products = 0;      ///< operations of matrix products
  double attention = 0;     ///< operations of scores and weighted values, visible keys only
  double weight_bytes = 0;  ///< each matrix read once a product, in bfloat16
  double cache_bytes = 0;   ///< each visible key and value read once for a group of heads
  [[nodiscard]] double operations() const { return products + attention; }
  [[nodiscard]] double bytes() const { return weight_bytes + cache_bytes; }
};

/// An address that nobody reads.
template <class T>
[[nodiscard]] T* nowhere() {
  alignas(64) static std::byte place[64];
  return reinterpret_cast<T*>(place);
}

template <Axis Out, Axis In>
struct Matrix {
  Out out{0};
  In in{0};
};

template <class T, Axis... Axes>
class Kept {
 public:
  Kept() = default;
  explicit Kept(Axes... axes) : axes_(axes...) {}
  [[nodiscard]] View<T, Axes...> view() { return make<T>(); }
  [[nodiscard]] View<const T, Axes...> view() const { return make<const T>(); }

 private:
  template <class U>
  [[nodiscard]] View<U, Axes...> make() const {
    return std::apply([](auto... axes) { return View<U, Axes...>(nowhere<U>(), axes...); }, axes_);
  }
  std::tuple<Axes...> axes_{Axes{0}...};
};

/// SamBackend<Engine>. Norms, activations, sums and embedding rows are not counted.
class Engine {
 public:
  using Element = bfloat16;
  using Number = float;
  template <Axis Out, Axis In>
  using Matrix = counting::Matrix<Out, In>;
  template <Axis Rows, Axis Width>
  using Table = counting::Matrix<Rows, Width>;
  template <Axis A>
  using Vector = counting::Kept<bfloat16, A>;
  template <Axis... Axes>
  using Kept = counting::Kept<bfloat16, Axes...>;
  struct Frame {
    ~Frame() {}  // NOLINT(modernize-use-equals-default): a frame that is unused is no warning
  };

  Counts counts;

  [[nodiscard]] Frame frame() { return {}; }
  template <class U, Axis... Axes>
  [[nodiscard]] View<U, Axes...> allocate(Axes... axes) {
    if constexpr (std::same_as<U, std::int32_t>) {  // masks read them
      integers_.emplace_back(static_cast<std::size_t>((axes.size * ...)));
      return View<U, Axes...>(integers_.back().data(), axes...);
    } else {
      return View<U, Axes...>(nowhere<U>(), axes...);
    }
  }
  template <Axis... Axes>
  [[nodiscard]] Kept<Axes...> keep(Axes... axes) {
    return Kept<Axes...>(axes...);
  }
  template <Axis Out, Axis In>
  [[nodiscard]] Matrix<Out, In> matrix(const StoredTensor&, Out out, In in) {
    return {out, in};
  }
  template <Axis Rows, Axis Width>
  [[nodiscard]] Table<Rows, Width> table(const StoredTensor&, Rows rows, Width width) {
    return {rows, width};
  }
  template <Axis A>
  [[nodiscard]] Vector<A> vector(const StoredTensor&, A axis) {
    return Vector<A>(axis);
  }
  template <class To, class From, Axis... Axes>
  void upload(View<To, Axes...> view, std::span<const From> numbers) {
    if constexpr (std::same_as<To, std::int32_t>) {
      std::copy(numbers.begin(), numbers.end(), view.data());
    }
  }
  template <class From, Axis... Axes>
  void download(std::span<float> numbers, View<From, Axes...>) {
    std::fill(numbers.begin(), numbers.end(), 0.0F);
  }

 private:
  std::deque<std::vector<std::int32_t>> integers_;
};

template <Axis R, Axis O, Axis I, class... Bias>
void matmul(Engine& engine, View<bfloat16, R, O> y, In<bfloat16, R, I> x, const Matrix<O, I>& w,
            const Bias&...) {
  check_extent("matmul", w.in, x.template axis_at<1>());
  const double weights = static_cast<double>(w.out.size) * static_cast<double>(w.in.size);
  engine.counts.products += 2 * static_cast<double>(y.extents()[0]) * weights;
  engine.counts.weight_bytes += 2 * weights;
}

template <Axis R, Axis O, Axis I>
void matmul(Engine& engine, View<bfloat16, R, O> y, In<bfloat16, R, I> x,
            View<const bfloat16, O, I> w) {
  check_extent("matmul", w.template axis_at<1>(), x.template axis_at<1>());
  engine.counts.products += 2 * static_cast<double>(y.extents()[0]) * static_cast<double>(w.size());
}

template <Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask, class... Relative>
void attend(Engine& engine, View<bfloat16, R, H, D> y, In<bfloat16, R, H, D>,
            View<const bfloat16, K, KH, D> key, View<const bfloat16, K, KH, D>, double, Mask mask,
            const Relative&...) {
  double visible = 0;
  double most = 0;
  for (Index row = 0; row < y.extents()[0]; ++row) {
    const Visible seen = mask.visible(row);
    const auto keys = static_cast<double>(seen.history.size() + seen.own.size());
    visible += keys;
    most = std::max(most, keys);
  }
  engine.counts.attention += 4 * visible * static_cast<double>(y.row_size());
  engine.counts.cache_bytes += 2 * 2 * most * static_cast<double>(key.row_size());
}

template <Axis... Axes>
void add(Engine&, View<bfloat16, Axes...>, In<bfloat16, Axes...>) {}
template <Axis... Axes>
void copy(Engine&, View<bfloat16, Axes...>, In<bfloat16, Axes...>) {}
template <Axis R, Axis A>
void rms_norm(Engine&, View<bfloat16, R, A>, In<bfloat16, R, A>, const Kept<bfloat16, A>&, double) {
}
template <Axis R, Axis A>
void layer_norm(Engine&, View<bfloat16, R, A>, In<bfloat16, R, A>, const Kept<bfloat16, A>&,
                const Kept<bfloat16, A>&, double) {}
template <Axis R, Axis A>
void quick_gelu(Engine&, View<bfloat16, R, A>) {}
template <Axis R, Axis A>
void gelu(Engine&, View<bfloat16, R, A>) {}
template <Axis R, Axis A>
void swiglu(Engine&, View<bfloat16, R, A>, In<bfloat16, R, A>) {}
template <Axis R, Axis V, Axis A>
void embed(Engine&, View<bfloat16, R, A>, const Matrix<V, A>&, std::span<const std::int32_t>) {}
template <Axis R, Axis H, Axis D>
void rotate(Engine&, View<bfloat16, R, H, D>, In<float, R, Pairs>, In<float, R, Pairs>) {}

template <Axis R, Axis S, Axis A>
void gather_rows(Engine&, View<bfloat16, R, A>, View<const bfloat16, S, A>, In<std::int32_t, R>) {}
template <Axis R, Axis A>
void relu(Engine&, View<bfloat16, R, A>) {}

static_assert(SamBackend<Engine>);

/// Every tensor that is asked for, without numbers.
class NoWeights {
 public:
  explicit NoWeights(const std::vector<ExpectedTensor>& expected) {
    for (const ExpectedTensor& tensor : expected) {
      StoredTensor& stored = tensors_[tensor.name];
      stored.type = ElementType::bfloat16;
      stored.rank = tensor.shape.size();
      std::ranges::copy(tensor.shape, stored.extents.begin());
    }
  }
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace stamp::counting
