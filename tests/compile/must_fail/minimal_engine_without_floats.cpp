// SPDX-License-Identifier: Apache-2.0
// An engine that offers what `Backend` asks and nothing else runs a whole conversation: models use
// nothing that the concept does not name. Its Numbers are doubles, and pixels are floats: where it
// does not take those, the concept says so, and not the middle of a model.
//
// g++ says: required for the satisfaction of 'MovesNumbers<B>' [with B = mine::Engine]
// clang++ says: because 'mine::Engine' does not satisfy 'MovesNumbers'
#include <stamp/session.hpp>
#include <stamp/session/replay.hpp>

namespace mine {

using namespace stamp;

template <class T, class... Types>
concept OneOf = (std::same_as<T, Types> || ...);

/// Numbers wider than Elements, so that neither passes for the other.
struct Engine {
  using Element = float;
  using Number = double;
  template <Axis Out, Axis In>
  struct Matrix {
    Out out{0};
    In in{0};
  };
  template <Axis Rows, Axis Width>
  struct Table {};
  template <Axis A>
  struct Vector {};
  template <Axis... Axes>
  struct Kept {
    View<float, Axes...> view();
    View<const float, Axes...> view() const;
  };

  int frame();
  template <OneOf<Element, Number, std::int32_t> T, Axis... Axes>
  View<T, Axes...> allocate(Axes... axes);
  template <Axis... Axes>
  Kept<Axes...> keep(Axes... axes);
  template <Axis Out, Axis In>
  Matrix<Out, In> matrix(const StoredTensor&, Out, In);
  template <Axis V, Axis H>
  Table<V, H> table(const StoredTensor&, V, H);
  template <Axis A>
  Vector<A> vector(const StoredTensor&, A);
#ifndef MUST_FAIL
  template <Axis... Axes>
  void upload(View<float, Axes...>, std::span<const float>);
#endif
  template <Axis... Axes>
  void upload(View<float, Axes...>, std::span<const double>);
  template <Axis... Axes>
  void upload(View<double, Axes...>, std::span<const double>);
  template <Axis... Axes>
  void upload(View<std::int32_t, Axes...>, std::span<const std::int32_t>);
  template <Axis... Axes>
  void download(std::span<double>, View<float, Axes...>);
};

template <Axis R, Axis O, Axis I>
void matmul(Engine&, View<float, R, O>, In<float, R, I>, const Engine::Matrix<O, I>&);
template <Axis R, Axis O, Axis I>
void matmul(Engine&, View<float, R, O>, In<float, R, I>, const Engine::Matrix<O, I>&,
            const Engine::Vector<O>&);
template <Axis... Axes>
void add(Engine&, View<float, Axes...>, In<float, Axes...>);
template <Axis... Axes>
void copy(Engine&, View<float, Axes...>, In<float, Axes...>);
template <Axis R, Axis A>
void rms_norm(Engine&, View<float, R, A>, In<float, R, A>, const Engine::Vector<A>&, double);
template <Axis R, Axis A>
void layer_norm(Engine&, View<float, R, A>, In<float, R, A>, const Engine::Vector<A>&,
                const Engine::Vector<A>&, double);
template <Axis R, Axis A>
void quick_gelu(Engine&, View<float, R, A>);
template <Axis R, Axis A>
void gelu(Engine&, View<float, R, A>);
template <Axis R, Axis A>
void swiglu(Engine&, View<float, R, A>, In<float, R, A>);
template <Axis R, Axis V, Axis A>
void embed(Engine&, View<float, R, A>, const Engine::Table<V, A>&, std::span<const std::int32_t>);
template <Axis R, Axis H, Axis D>
void rotate(Engine&, View<float, R, H, D>, In<double, R, Pairs>, In<double, R, Pairs>);
template <Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine&, View<float, R, H, D>, In<float, R, H, D>, View<const float, K, KH, D>,
            View<const float, K, KH, D>, double, Mask);

}  // namespace mine

template class stamp::Conversation<mine::Engine>;
template stamp::Recording<double> stamp::replay(mine::Engine&, const stamp::Stamp<mine::Engine>&,
                                                const stamp::ReplayInput&);
