// SPDX-License-Identifier: Apache-2.0
// The operations of SamBackend on every engine, and the convolutions made of them, against plain
// loops.
#include <stamp/nn/convolution.hpp>
#include <stamp/ops/windows.hpp>

#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class SamOperation : public Operation<B> {};
TYPED_TEST_SUITE(SamOperation, Engines, EngineName);

using Numbers = std::vector<double>;

template <SamBackend B>
View<const std::int32_t, Patches> resident(B& engine, const std::vector<std::int32_t>& numbers) {
  const auto view =
      engine.template allocate<std::int32_t>(Patches{static_cast<Index>(numbers.size())});
  engine.upload(view, std::span<const std::int32_t>(numbers));
  return view;
}

TYPED_TEST(SamOperation, GatherRowsTakesRowsByNumberAndZeros) {
  for (const Index width : {1, 3, 70}) {
    auto& engine = this->backend;
    const Operand<TypeParam, Pixels, Hidden> x(engine, Pixels{4}, Hidden{width}, 1, 2);
    const Operand<TypeParam, Patches, Hidden> y(engine, Patches{6}, Hidden{width}, 2, 1);
    const std::vector<std::int32_t> index{3, -1, 0, 3, -7, 2};
    gather_rows(engine, y.view(), x.input(), resident(engine, index));
    Numbers expected;
    for (const std::int32_t from : index) {
      for (Index at = 0; at < width; ++at) {
        expected.push_back(from < 0 ? 0 : x.values()[static_cast<std::size_t>(from * width + at)]);
      }
    }
    EXPECT_EQ(y.found(), expected);
  }
}

TYPED_TEST(SamOperation, GatherRowsNamesWhatDoesNotFit) {
  auto& engine = this->backend;
  const Operand<TypeParam, Pixels, Hidden> x(engine, Pixels{4}, Hidden{3}, 1);
  const Operand<TypeParam, Patches, Hidden> y(engine, Patches{2}, Hidden{3}, 2);
  const Operand<TypeParam, Patches, Hidden> wide(engine, Patches{2}, Hidden{5}, 2);
  if constexpr (numbers_stay_on_device<TypeParam>) {
    gather_rows(engine, y.view(), x.input(), resident(engine, {0, 4}));
    const Numbers found = y.found();
    EXPECT_EQ(found[0], x.values()[0]);
    for (std::size_t at = 3; at < 6; ++at) EXPECT_TRUE(std::isnan(found[at])) << at;
  } else {
    EXPECT_EQ(
        usage_error([&] { gather_rows(engine, y.view(), x.input(), resident(engine, {0, 4})); }),
        "gather_rows: row 1: expected an index below 4, found 4");
  }
  EXPECT_EQ(usage_error([&] { gather_rows(engine, y.view(), x.input(), resident(engine, {0})); }),
            "gather_rows: expected Patches 2, found Patches 1");
  EXPECT_EQ(
      usage_error([&] { gather_rows(engine, wide.view(), x.input(), resident(engine, {0, 1})); }),
      "gather_rows: expected Hidden 5, found Hidden 3");
}

TYPED_TEST(SamOperation, ReluKeepsWhatIsPositive) {
  const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{7}, Hidden{61}, 1, 2);
  Numbers expected = x.values();
  for (double& value : expected) value = std::max(value, 0.0);
  relu(this->backend, x.view());
  EXPECT_EQ(x.found(), expected);
}

TYPED_TEST(SamOperation, ProductOfActivationsEqualsThePlainLoop) {
  struct Shape {
    Index rows, in, out;
  };
  for (const auto& [rows, in, out] : {Shape{1, 1, 1}, Shape{300, 32, 3}, Shape{5, 37, 4}}) {
    const Operand<TypeParam, Pixels, Channels> x(this->backend, Pixels{rows}, Channels{in}, 1, 1);
    const Operand<TypeParam, Masks, Channels> w(this->backend, Masks{out}, Channels{in}, 2, 2);
    const Operand<TypeParam, Pixels, Masks> y(this->backend, Pixels{rows}, Masks{out}, 3, 1);
    matmul(this->backend, y.view(), x.input(), w.input());
    Numbers expected;
    for (Index row = 0; row < rows; ++row) {
      for (Index o = 0; o < out; ++o) {
        double sum = 0;
        for (Index i = 0; i < in; ++i) {
          sum += x.values()[static_cast<std::size_t>(row * in + i)] *
                 w.values()[static_cast<std::size_t>(o * in + i)];
        }
        expected.push_back(sum);
      }
    }
    expect_close<typename TypeParam::Element>(expected, y.found(), "matmul of activations");
  }
}

struct MapShape {
  Index maps, height, width, heads, dim, margin;  // without a margin, rows are aligned
};

/// softmax(scale·q·kᵀ + vertical + horizontal)·v in each map, word by word from the sentence.
/// run(y, query, key, value, scale, bias) is what is tested.
template <SamBackend B, class Run>
void expect_relative_attention(B& engine, const MapShape& s, const Run& run) {
  const auto frame = engine.frame();
  const Index area = s.height * s.width;
  const Index count = s.maps * area;
  const Index wide = s.heads * s.dim;
  const Operand<B, Patches, Queries> y(engine, Patches{count}, Queries{wide}, 1, s.margin);
  const Operand<B, Patches, Queries> query(engine, Patches{count}, Queries{wide}, 2, 2 * s.margin);
  const Operand<B, Keys, KeyValues> key(engine, Keys{count}, KeyValues{wide}, 3, s.margin);
  const Operand<B, Keys, KeyValues> value(engine, Keys{count}, KeyValues{wide}, 4);
  const Operand<B, Patches, Offsets> down(engine, Patches{count * s.heads},
                                          Offsets{2 * s.height - 1}, 5);
  const Operand<B, Patches, Offsets> across(engine, Patches{count * s.heads},
                                            Offsets{2 * s.width - 1}, 6);
  const double scale = 1.5 / std::sqrt(static_cast<double>(s.dim));
  run(split(y.view(), Heads{s.heads}, HeadDim{s.dim}),
      split(query.input(), Heads{s.heads}, HeadDim{s.dim}),
      split(key.input(), KvHeads{s.heads}, HeadDim{s.dim}),
      split(value.input(), KvHeads{s.heads}, HeadDim{s.dim}), scale,
      RelativePosition<typename B::Element>{down.view().data(), across.view().data(), s.heads,
                                            s.height, s.width});

  Numbers expected;
  const auto at = [&](const auto& operand, Index row, Index head, Index d) {
    return operand.values()[static_cast<std::size_t>(row * wide + head * s.dim + d)];
  };
  for (Index q = 0; q < count; ++q) {
    const Index first = q / area * area;  // of its map
    for (Index head = 0; head < s.heads; ++head) {
      Numbers weights;
      double sum = 0;
      for (Index k = 0; k < area; ++k) {
        double score = 0;
        for (Index d = 0; d < s.dim; ++d) {
          score += at(query, q, head, d) * at(key, first + k, head, d);
        }
        const Index rows_apart = q % area / s.width - k / s.width + s.height - 1;
        const Index columns_apart = q % area % s.width - k % s.width + s.width - 1;
        const Index line = q * s.heads + head;
        score = scale * score +
                down.values()[static_cast<std::size_t>(line * (2 * s.height - 1) + rows_apart)] +
                across.values()[static_cast<std::size_t>(line * (2 * s.width - 1) + columns_apart)];
        weights.push_back(std::exp(score));
        sum += weights.back();
      }
      for (Index d = 0; d < s.dim; ++d) {
        double mixed = 0;
        for (Index k = 0; k < area; ++k) {
          mixed += weights[static_cast<std::size_t>(k)] / sum * at(value, first + k, head, d);
        }
        expected.push_back(mixed);
      }
    }
  }
  expect_close<typename B::Element>(expected, y.found(),
                                    std::to_string(s.maps) + " maps of " +
                                        std::to_string(s.height) + " x " + std::to_string(s.width),
                                    attend_tolerance<B>());
}

TYPED_TEST(SamOperation, AttentionAddsRelativePositions) {
  for (const MapShape& s :
       {MapShape{1, 1, 1, 1, 16, 0}, MapShape{1, 2, 2, 2, 16, 1}, MapShape{1, 3, 5, 2, 24, 1},
        MapShape{1, 7, 4, 1, 80, 1}, MapShape{1, 7, 4, 1, 80, 0}, MapShape{1, 14, 14, 2, 16, 1},
        MapShape{1, 14, 14, 2, 16, 0}, MapShape{1, 17, 19, 1, 16, 0},
        MapShape{1, 3, 11, 1, 128, 0}}) {
    expect_relative_attention(
        this->backend, s,
        [&](auto y, auto query, auto key, auto value, double scale, const auto& bias) {
          attend(this->backend, y, query, key, value, scale, Bidirectional{s.height * s.width},
                 bias);
        });
  }
}

TYPED_TEST(SamOperation, AttentionStaysInsideItsWindow) {
  // Windows of fewer positions than a tile, of one more than a tile, and of SAM's 196.
  for (const MapShape& s :
       {MapShape{5, 1, 1, 1, 16, 0}, MapShape{1, 4, 4, 2, 16, 1}, MapShape{7, 3, 5, 2, 24, 1},
        MapShape{6, 5, 13, 1, 32, 0}, MapShape{3, 7, 4, 1, 80, 1}, MapShape{9, 4, 8, 1, 80, 0},
        MapShape{4, 14, 14, 2, 16, 0}, MapShape{3, 3, 11, 1, 128, 0}}) {
    expect_relative_attention(
        this->backend, s,
        [&](auto y, auto query, auto key, auto value, double scale, const auto& bias) {
          attend_windows(own_steps(this->backend), y, query, key, value, scale, bias);
        });
  }
}

TYPED_TEST(SamOperation, WindowsNameWhatDoesNotFillThem) {
  auto& engine = this->backend;
  using Element = typename TypeParam::Element;
  const auto y = engine.template allocate<Element>(Patches{6}, Heads{1}, HeadDim{16});
  const View<const Element, Keys, KvHeads, HeadDim> key(y.data(), Keys{6}, KvHeads{1}, HeadDim{16});
  EXPECT_EQ(
      usage_error([&] {
        attend_windows(own_steps(engine), y, y, key, key, 1.0, {y.data(), y.data(), 1, 2, 2});
      }),
      "attend_windows: expected windows of 4 queries and keys of 1 heads, found 6 and 6 of 1");
}

TYPED_TEST(SamOperation, RelativePositionsNameTheMapThatDoesNotFit) {
  auto& engine = this->backend;
  using Element = typename TypeParam::Element;
  const auto y = engine.template allocate<Element>(Patches{6}, Heads{1}, HeadDim{16});
  const View<const Element, Keys, KvHeads, HeadDim> key(y.data(), Keys{6}, KvHeads{1}, HeadDim{16});
  EXPECT_EQ(usage_error([&] {
              attend(engine, y, y, key, key, 1.0, Bidirectional{6}, {y.data(), y.data(), 1, 2, 2});
            }),
            "attend: expected 4 queries and keys of 1 heads for relative positions on 2 x 2, found "
            "6 and 6 of 1");
}

/// A WeightSource with one weight and one bias.
struct OneLayer {
  const StoredWeight& weight;
  const StoredWeight& bias;
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    if (name == "weight") return weight.stored();
    if (name == "bias") return bias.stored();
    return std::nullopt;
  }
};

TYPED_TEST(SamOperation, ConvolutionEqualsThePlainLoop) {
  struct Shape {
    Index height, width, in, out, kernel, stride, padding;
  };
  for (const Shape& s : {Shape{5, 7, 3, 4, 3, 1, 1}, Shape{4, 6, 2, 5, 2, 2, 0},
                         Shape{3, 3, 4, 20, 1, 1, 0}, Shape{8, 4, 3, 17, 4, 4, 0}}) {
    auto& engine = this->backend;
    using T = typename TypeParam::Element;
    const auto frame = engine.frame();
    const StoredWeight weight(ElementType::bfloat16, {s.out, s.in, s.kernel, s.kernel}, 1, 3);
    const StoredWeight bias(ElementType::float32, {s.out}, 2);
    Convolution<TypeParam> convolution(Channels{s.in}, Channels{s.out}, s.kernel, s.stride,
                                       s.padding);
    bind(engine, convolution, OneLayer{weight, bias});
    const Operand<TypeParam, Pixels, Channels> x(engine, Pixels{s.height * s.width}, Channels{s.in},
                                                 3, 1);
    const auto y = convolution(engine, x.view(), {s.height, s.width});
    const MapSize to = convolution.size_of({s.height, s.width});
    const auto biases = bias.template rounded_to<T>();
    Numbers expected;
    for (Index at = 0; at < to.height * to.width; ++at) {
      for (Index o = 0; o < s.out; ++o) {
        double sum = biases[static_cast<std::size_t>(o)];
        for (Index ky = 0; ky < s.kernel; ++ky) {
          for (Index kx = 0; kx < s.kernel; ++kx) {
            const Index row = at / to.width * s.stride + ky - s.padding;
            const Index column = at % to.width * s.stride + kx - s.padding;
            if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
            for (Index i = 0; i < s.in; ++i) {
              sum += x.values()[static_cast<std::size_t>((row * s.width + column) * s.in + i)] *
                     weight.values()[static_cast<std::size_t>(
                         ((o * s.in + i) * s.kernel + ky) * s.kernel + kx)];
            }
          }
        }
        expected.push_back(sum);
      }
    }
    std::vector<typename TypeParam::Number> found(static_cast<std::size_t>(y.size()));
    engine.download(std::span(found), y);
    expect_close<T>(expected, {found.begin(), found.end()}, "convolution");
  }
}

TYPED_TEST(SamOperation, TransposedConvolutionEqualsThePlainLoop) {
  auto& engine = this->backend;
  using T = typename TypeParam::Element;
  constexpr Index height = 3, width = 5, in = 6, out = 4, kernel = 2;
  const StoredWeight weight(ElementType::float32, {in, out, kernel, kernel}, 1);
  const StoredWeight bias(ElementType::float32, {out}, 2);
  TransposedConvolution<TypeParam> convolution(Channels{in}, Channels{out}, kernel);
  bind(engine, convolution, OneLayer{weight, bias});
  const Operand<TypeParam, Pixels, Channels> x(engine, Pixels{height * width}, Channels{in}, 3);
  const auto y = convolution(engine, x.view(), {height, width});
  const auto biases = bias.template rounded_to<T>();
  Numbers expected;
  for (Index row = 0; row < height * kernel; ++row) {
    for (Index column = 0; column < width * kernel; ++column) {
      for (Index o = 0; o < out; ++o) {
        double sum = biases[static_cast<std::size_t>(o)];
        for (Index i = 0; i < in; ++i) {
          const Index from = row / kernel * width + column / kernel;
          sum += x.values()[static_cast<std::size_t>(from * in + i)] *
                 multiplied<TypeParam>(weight)[static_cast<std::size_t>(
                     ((i * out + o) * kernel + row % kernel) * kernel + column % kernel)];
        }
        expected.push_back(sum);
      }
    }
  }
  std::vector<typename TypeParam::Number> found(static_cast<std::size_t>(y.size()));
  engine.download(std::span(found), y);
  expect_close<T>(expected, {found.begin(), found.end()}, "transposed convolution");
}

}  // namespace
}  // namespace stamp::test
