// SPDX-License-Identifier: Apache-2.0
// Convolutions of maps whose channels lie side by side, [Pixels, Channels]: a gather of rows and
// one matrix product, before it (convolution) or after it (transposed convolution).
#pragma once

#include <cstdint>
#include <span>
#include <stamp/nn/linear.hpp>
#include <stamp/ops/sam_backend.hpp>
#include <stamp/tensor/permute_stored.hpp>
#include <stamp/tensor/reshape.hpp>
#include <string>
#include <vector>

namespace stamp {

/// Height and width of a map.
struct MapSize {
  Index height = 0;
  Index width = 0;
  [[nodiscard]] constexpr Pixels pixels() const { return Pixels{height * width}; }
  bool operator==(const MapSize&) const = default;
};

/// Numbers of rows in the engine's memory, where gather_rows takes them.
template <SamBackend B, Axis Row>
[[nodiscard]] View<const std::int32_t, Row> row_numbers(B& engine, Row row,
                                                        std::span<const std::int32_t> index) {
  const auto numbers = engine.template allocate<std::int32_t>(row);
  engine.upload(numbers, index);
  return numbers;
}

/// x [S, A] to a new activation [Row, A] of its rows `index`, zeros where negative.
template <SamBackend B, class T, Axis S, Axis A, Axis Row>
[[nodiscard]] Activation<B, Row, A> gathered(B& engine, View<T, S, A> x, Row row,
                                             std::span<const std::int32_t> index) {
  auto y = engine.template allocate<typename B::Element>(row, x.template axis_at<1>());
  gather_rows(engine, y, View<const typename B::Element, S, A>(x), row_numbers(engine, row, index));
  return y;
}

namespace detail {
[[nodiscard]] inline std::string describe_kernel(const char* first, Index a, const char* second,
                                                 Index b, Index kernel) {
  const std::string side = std::to_string(kernel);
  return std::string("(") + first + " " + std::to_string(a) + ", " + second + " " +
         std::to_string(b) + ", rows " + side + ", columns " + side + ")";
}
}  // namespace detail

/// torch.nn.Conv2d(in, out, kernel, stride, padding): weight [out, in, kernel, kernel], bias [out].
/// Out is the axis of the result's channels.
template <SamBackend B, Axis Out = Channels, Bias bias_is = Bias::added>
struct Convolution {
  Channels in;
  Out out;
  Index kernel, stride, padding;
  OwnedTensor rearranged{};  ///< the weight as [out, kernel, kernel, in], as rows are gathered
  typename B::template Matrix<Out, PatchLength> weight{};
  typename B::template Vector<Out> bias{};

  Convolution(Channels from, Out to, Index kernel_side, Index step = 1, Index pad = 0)
      : in(from), out(to), kernel(kernel_side), stride(step), padding(pad) {}

  [[nodiscard]] MapSize size_of(MapSize input) const {
    return {(input.height + 2 * padding - kernel) / stride + 1,
            (input.width + 2 * padding - kernel) / stride + 1};
  }

  /// x [Row, in], the positions of a map of `size` row by row, to a new [Pixels, out] of
  /// size_of(size).
  template <class T, Axis Row, Axis In>
  [[nodiscard]] Activation<B, Pixels, Out> operator()(B& engine, View<T, Row, In> x,
                                                      MapSize size) const {
    check_extent("convolution", Row{size.height * size.width}, x.template axis_at<0>());
    check_extent("convolution", In{in.size}, x.template axis_at<1>());
    const MapSize to = size_of(size);
    auto y = engine.template allocate<typename B::Element>(to.pixels(), out);
    const auto frame = engine.frame();
    if (kernel == 1 && stride == 1 && padding == 0) {
      product(engine, y, rename<Pixels, PatchLength>(x));
    } else {
      const Pixels taps{to.pixels().size * kernel * kernel};
      const auto rows = gathered(engine, x, taps, taps_of(size));
      product(engine, y, group_rows<Pixels, PatchLength>(rows, kernel * kernel));
    }
    return y;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("weight", {out.size, in.size, kernel, kernel},
          detail::describe_kernel("out", out.size, "in", in.size, kernel));
    if constexpr (bias_is == Bias::added) visit("bias", {out.size}, describe_axes(out));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    rearranged = permute_stored(find("weight"), {0, 2, 3, 1});
    weight = engine.matrix(rearranged.stored, out, PatchLength{in.size * kernel * kernel});
    if constexpr (bias_is == Bias::added) bias = engine.vector(find("bias"), out);
  }

 private:
  template <class X>
  void product(B& engine, Activation<B, Pixels, Out> y, const X& x) const {
    if constexpr (bias_is == Bias::added) {
      matmul(engine, y, x, weight, bias);
    } else {
      matmul(engine, y, x, weight);
    }
  }

  /// For every output position and kernel cell, the input position; -1 in the padding.
  [[nodiscard]] std::vector<std::int32_t> taps_of(MapSize size) const {
    const MapSize to = size_of(size);
    std::vector<std::int32_t> taps;
    taps.reserve(static_cast<std::size_t>(to.pixels().size * kernel * kernel));
    for (Index at = 0; at < to.pixels().size; ++at) {
      for (Index cell = 0; cell < kernel * kernel; ++cell) {
        const Index y = at / to.width * stride - padding + cell / kernel;
        const Index x = at % to.width * stride - padding + cell % kernel;
        const bool inside = y >= 0 && x >= 0 && y < size.height && x < size.width;
        taps.push_back(inside ? static_cast<std::int32_t>(y * size.width + x) : -1);
      }
    }
    return taps;
  }
};

/// torch.nn.ConvTranspose2d(in, out, kernel, stride=kernel): weight [in, out, kernel, kernel], bias
/// [out]. Every input position becomes kernel² outputs of its own: a product, then a pixel shuffle.
template <SamBackend B>
struct TransposedConvolution {
  Channels in, out;
  Index kernel;
  OwnedTensor rearranged{};  ///< the weight as [kernel, kernel, out, in]
  typename B::template Matrix<PatchLength, Channels> weight{};
  typename B::template Vector<PatchLength> bias{};

  TransposedConvolution(Channels from, Channels to, Index kernel_side)
      : in(from), out(to), kernel(kernel_side) {}

  /// x [Pixels, in] of a map of `size` to a new [Pixels · kernel², out] of the map kernel times
  /// as high and wide.
  template <class T>
  [[nodiscard]] Activation<B, Pixels, Channels> operator()(B& engine, View<T, Pixels, Channels> x,
                                                           MapSize size) const {
    check_extent("transposed convolution", size.pixels(), x.template axis_at<0>());
    const Index cells = kernel * kernel;
    auto y = engine.template allocate<typename B::Element>(Pixels{size.pixels().size * cells}, out);
    const auto frame = engine.frame();
    auto spread =
        engine.template allocate<typename B::Element>(size.pixels(), PatchLength{cells * out.size});
    matmul(engine, spread, x, weight, bias);
    const View<typename B::Element, Pixels, Channels> cell_rows(spread.data(),
                                                                y.template axis_at<0>(), out);
    std::vector<std::int32_t> shuffle;
    for (Index at = 0; at < y.extents()[0]; ++at) {
      const Index row = at / (size.width * kernel);
      const Index column = at % (size.width * kernel);
      const Index from = row / kernel * size.width + column / kernel;
      shuffle.push_back(
          static_cast<std::int32_t>(from * cells + row % kernel * kernel + column % kernel));
    }
    gather_rows(engine, y, View<const typename B::Element, Pixels, Channels>(cell_rows),
                row_numbers(engine, y.template axis_at<0>(), shuffle));
    return y;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("weight", {in.size, out.size, kernel, kernel},
          detail::describe_kernel("in", in.size, "out", out.size, kernel));
    visit("bias", {out.size}, describe_axes(out));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    const PatchLength spread{kernel * kernel * out.size};
    rearranged = permute_stored(find("weight"), {2, 3, 1, 0});
    weight = engine.matrix(rearranged.stored, spread, in);
    bias = engine.vector(repeat_stored(find("bias"), kernel * kernel).stored, spread);
  }
};

}  // namespace stamp
