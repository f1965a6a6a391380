// SPDX-License-Identifier: Apache-2.0
// The compiler names the operation that an engine lacks: everything below but `attend` is there.
//
// g++ says: required for the satisfaction of 'HasAttend<B>' [with B = mine::Engine]
// clang++ says: because 'mine::Engine' does not satisfy 'HasAttend'
#include <stamp/nn/linear.hpp>
#include <stamp/reference/matrix.hpp>

namespace mine {

using namespace stamp;

struct Engine {
  using Element = float;
  using Number = float;
  template <Axis Out, Axis In>
  using Matrix = reference::Matrix<Out, In>;
  template <Axis V, Axis H>
  using Table = reference::Matrix<V, H>;
  template <Axis A>
  using Vector = Tensor<float, A>;
  template <Axis... Axes>
  using Kept = Tensor<float, Axes...>;

  int frame();
  template <class T, Axis... Axes>
  View<T, Axes...> allocate(Axes... axes);
  template <Axis... Axes>
  Kept<Axes...> keep(Axes... axes);
  template <Axis Out, Axis In>
  Matrix<Out, In> matrix(const StoredTensor&, Out, In);
  template <Axis V, Axis H>
  Table<V, H> table(const StoredTensor&, V, H);
  template <Axis A>
  Vector<A> vector(const StoredTensor&, A);
  template <class To, class From, Axis... Axes>
  void upload(View<To, Axes...>, std::span<const From>);
  template <class From, Axis... Axes>
  void download(std::span<float>, View<From, Axes...>);
};

template <Axis R, Axis O, Axis I>
void matmul(Engine&, View<float, R, O>, In<float, R, I>, const reference::Matrix<O, I>&);
template <Axis R, Axis O, Axis I>
void matmul(Engine&, View<float, R, O>, In<float, R, I>, const reference::Matrix<O, I>&,
            const Tensor<float, O>&);
template <Axis... Axes>
void add(Engine&, View<float, Axes...>, In<float, Axes...>);
template <Axis... Axes>
void copy(Engine&, View<float, Axes...>, In<float, Axes...>);
template <Axis R, Axis A>
void rms_norm(Engine&, View<float, R, A>, In<float, R, A>, const Tensor<float, A>&, double);
template <Axis R, Axis A>
void layer_norm(Engine&, View<float, R, A>, In<float, R, A>, const Tensor<float, A>&,
                const Tensor<float, A>&, double);
template <Axis R, Axis A>
void quick_gelu(Engine&, View<float, R, A>);
template <Axis R, Axis A>
void gelu(Engine&, View<float, R, A>);
template <Axis R, Axis A>
void swiglu(Engine&, View<float, R, A>, In<float, R, A>);
template <Axis R, Axis V, Axis A>
void embed(Engine&, View<float, R, A>, const reference::Matrix<V, A>&,
           std::span<const std::int32_t>);
template <Axis R, Axis H, Axis D>
void rotate(Engine&, View<float, R, H, D>, In<float, R, Pairs>, In<float, R, Pairs>);
#ifndef MUST_FAIL
template <Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine&, View<float, R, H, D>, In<float, R, H, D>, View<const float, K, KH, D>,
            View<const float, K, KH, D>, double, Mask);
#endif

}  // namespace mine

using Layer = stamp::Linear<mine::Engine, stamp::Hidden, stamp::Ffn>;
Layer layer(stamp::Hidden{1}, stamp::Ffn{1});
