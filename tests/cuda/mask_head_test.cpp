// SPDX-License-Identifier: Apache-2.0
// The mask head (ops/picture.hpp), on the device where there is one and walked on the host: its
// logits are those of norm and classifier, its pixels the host's upsample of them, bit for bit.
#include <algorithm>
#include <ops/engines.hpp>
#include <set>
#include <stamp/image/upsample.hpp>
#include <stamp/session/picture_steps.hpp>

namespace stamp::test {
namespace {

template <class B>
class MaskHead : public Operation<B> {};
TYPED_TEST_SUITE(MaskHead, AndCuda<>, EngineName);

struct Sizes {
  Index grid_height, grid_width, width, height;
  [[nodiscard]] Index cells() const { return grid_height * grid_width; }
};

/// Mask tokens, and the norm and classifier that read them: logits of about `scale` around `bias`.
template <Backend B>
struct Head {
  Head(B& engine, Index cells, Index wide, float scale = 1, float bias_is = 0, Index margin = 0)
      : width{wide},
        x(engine, Tokens{cells}, width, 4, margin),
        norm_stored(ElementType::float32, {wide}, 1),
        norm(engine.vector(norm_stored.stored(), width)),
        weights(static_cast<std::size_t>(wide)),
        w(engine.matrix(of(weights, scale / static_cast<float>(wide)), Logit{1}, width)),
        biases{bias_is},
        bias(engine.vector(stored(biases, {1}), Logit{1})) {}

  static StoredTensor stored(const std::vector<float>& numbers,
                             std::initializer_list<Index> shape) {
    StoredTensor tensor;
    tensor.type = ElementType::float32;
    tensor.rank = shape.size();
    std::ranges::copy(shape, tensor.extents.begin());
    tensor.data = reinterpret_cast<const std::byte*>(numbers.data());
    return tensor;
  }
  static StoredTensor of(std::vector<float>& weights, float scale) {
    const auto drawn = random_numbers(std::ssize(weights), 2);
    std::ranges::transform(drawn, weights.begin(),
                           [&](double number) { return static_cast<float>(number) * scale; });
    return stored(weights, {1, std::ssize(weights)});
  }

  /// The logits that norm and classifier give, one launch a step.
  std::vector<float> logits(B& engine) const {
    const auto scores =
        engine.template allocate<typename B::Element>(Tokens{x.input().extents()[0]}, Logit{1});
    rms_norm_matmul(engine, scores, x.view(), norm, 1e-6, w, bias);
    std::vector<float> numbers(static_cast<std::size_t>(scores.size()));
    engine.download(std::span(numbers), scores);
    return numbers;
  }

  Hidden width;
  Operand<B, Tokens, Hidden> x;
  StoredWeight norm_stored;
  typename B::template Vector<Hidden> norm;
  std::vector<float> weights;
  typename B::template Matrix<Logit, Hidden> w;
  std::vector<float> biases;
  typename B::template Vector<Logit> bias;
};

struct Read {
  std::vector<std::uint8_t> picture;
  std::vector<float> logits;
  Foreground foreground;
};
template <Backend B>
Read read(B& engine, const Head<B>& head, const MaskReadout& readout) {
  Read found;
  found.picture.resize(static_cast<std::size_t>(readout.pixels()), 77);
  found.logits.resize(static_cast<std::size_t>(readout.cells()), NAN);
  found.foreground = mask_head(engine, std::span(found.picture), std::span(found.logits),
                               head.x.view(), head.norm, 1e-6, head.w, head.bias, readout);
  return found;
}

/// Returns what was found, for further looks.
template <Backend B>
Read expect_the_hosts(B& engine, const Head<B>& head, const Sizes& s, Upsample variant,
                      float threshold) {
  SCOPED_TRACE(std::to_string(s.grid_width) + " x " + std::to_string(s.grid_height) + " cells, " +
               std::to_string(s.width) + " x " + std::to_string(s.height) + " pixels, threshold " +
               std::to_string(threshold));
  const Read found =
      read(engine, head,
           mask_readout(s.grid_height, s.grid_width, s.width, s.height, variant, threshold));
  EXPECT_EQ(found.logits, head.logits(engine));
  const auto expected =
      upsample(found.logits, s.grid_height, s.grid_width, s.width, s.height, variant, threshold);
  EXPECT_EQ(found.picture, expected.mask.cells);
  EXPECT_EQ(found.foreground.area, expected.area);
  // Sums of n numbers below one in two orders, each rounded n times at most.
  const auto area = static_cast<double>(expected.area);
  EXPECT_NEAR(found.foreground.probability, expected.score * area, area * (area + 1) * 0x1p-53);
  return found;
}

TYPED_TEST(MaskHead, LogitsAreThoseOfTheStepsAndPixelsTheHosts) {
  auto& engine = this->backend;
  bool both = false;
  for (const Sizes& s :
       {Sizes{1, 1, 1, 1}, Sizes{1, 1, 7, 5}, Sizes{2, 3, 2, 3}, Sizes{3, 2, 41, 37},
        Sizes{5, 7, 110, 122}, Sizes{16, 16, 257, 255}, Sizes{32, 24, 301, 513},
        // Fewer pixels than cells: some cells are read by none, and are logits all the same.
        Sizes{9, 13, 4, 6}, Sizes{40, 3, 90, 1}, Sizes{2, 50, 1, 33}}) {
    const auto frame = engine.frame();
    const Head<TypeParam> head(engine, s.cells(), 96, 3);
    for (const Upsample variant : {Upsample::bilinear, Upsample::nearest}) {
      for (const float threshold : {0.0F, 0.37F, -100.0F, 100.0F}) {
        const Read found = expect_the_hosts(engine, head, s, variant, threshold);
        both = both || (found.foreground.area > 0 && found.foreground.area < s.width * s.height);
      }
    }
  }
  EXPECT_TRUE(both) << "no mask had foreground and background";
}

/// Rows that no load of 16 bytes fits, longer than a warp reads at once, and beside other numbers.
TYPED_TEST(MaskHead, TakesRowsOfAnyLength) {
  auto& engine = this->backend;
  for (const auto& [width, margin] :
       {std::pair<Index, Index>{1, 0}, {61, 1}, {256, 0}, {600, 8}, {1536, 0}}) {
    const auto frame = engine.frame();
    const Sizes s{7, 5, 60, 99};
    const Head<TypeParam> head(engine, s.cells(), width, 1, 0.01F, margin);
    expect_the_hosts(engine, head, s, Upsample::bilinear, 0);
    EXPECT_EQ(head.x.values(), head.x.found()) << "the mask tokens were written to";
  }
}

/// Logits that lie so close to the threshold that another order of roundings would turn pixels.
TYPED_TEST(MaskHead, PixelsAreTheHostsAtTheEdgeOfRounding) {
  auto& engine = this->backend;
  const auto threshold = static_cast<float>(rounded<typename TypeParam::Element>(0.1));
  const Sizes s{24, 24, 203, 331};
  const auto unit = std::same_as<typename TypeParam::Element, float> ? 0x1p-25F : 0x1p-13F;
  const Head<TypeParam> head(engine, s.cells(), 64, unit * 64, threshold);
  const Read found = expect_the_hosts(engine, head, s, Upsample::bilinear, threshold);
  EXPECT_GT(found.foreground.area, 0);
  EXPECT_LT(found.foreground.area, s.width * s.height);
  EXPECT_GT(std::set<float>(found.logits.begin(), found.logits.end()).size(), 2U);

  // With products and sums contracted some pixels of the float logits are others, so that is seen;
  // bfloat16's lie too far apart.
  const auto readout = mask_readout(24, 24, s.width, s.height, Upsample::bilinear, threshold);
  Index turned = 0;
  for (Index at = 0; at < readout.pixels(); ++at) {
    const auto y = static_cast<std::size_t>(at / s.width);
    const auto x = static_cast<std::size_t>(at % s.width);
    const auto between = [](float a, float b, float share) {
      return std::fma(a, 1 - share, b * share);
    };
    const auto row = [&](std::int32_t of) {
      const auto cell = [&](std::int32_t column) {
        return found.logits[static_cast<std::size_t>(of * 24 + column)];
      };
      return between(cell(readout.columns.first[x]), cell(readout.columns.second[x]),
                     readout.columns.share[x]);
    };
    const float logit =
        between(row(readout.rows.first[y]), row(readout.rows.second[y]), readout.rows.share[y]);
    turned += (logit > threshold) != (found.picture[static_cast<std::size_t>(at)] == 1) ? 1 : 0;
  }
  if (std::same_as<typename TypeParam::Element, float>) {
    EXPECT_GT(turned, 0);
  }
}

TYPED_TEST(MaskHead, ALogitThatIsNoNumberIsToldAndNoForeground) {
  auto& engine = this->backend;
  const Sizes s{3, 3, 12, 12};
  Head<TypeParam> head(engine, s.cells(), 32, 1, 100);
  head.x.change([](Index row, Index, double old) { return row == 4 ? NAN : old; });
  const Read found = read(engine, head, mask_readout(3, 3, 12, 12, Upsample::nearest, 0));
  EXPECT_TRUE(std::isnan(found.logits[4]));
  EXPECT_EQ(std::ranges::count_if(found.logits, [](float l) { return std::isnan(l); }), 1);
  EXPECT_EQ(found.foreground.area, 144 - 16);
  EXPECT_EQ(std::ranges::count(found.picture, 1), 144 - 16);
}

TYPED_TEST(MaskHead, NamesWhatDoesNotFit) {
  auto& engine = this->backend;
  const Head<TypeParam> head(engine, 6, 8);
  const auto good = mask_readout(2, 3, 4, 4, Upsample::bilinear, 0);
  std::vector<std::uint8_t> picture(16);
  std::vector<float> logits(6);
  const auto sentence = [&](Index pixels, Index cells, Index rows, const MaskReadout& readout) {
    return usage_error([&] {
      (void)mask_head(engine, std::span(picture).first(static_cast<std::size_t>(pixels)),
                      std::span(logits).first(static_cast<std::size_t>(cells)),
                      stamp::rows(head.x.view(), 0, rows), head.norm, 1e-6, head.w, head.bias,
                      readout);
    });
  };
  EXPECT_EQ(sentence(15, 6, 6, good), "mask_head picture: expected 16 numbers, found 15");
  EXPECT_EQ(sentence(16, 5, 6, good), "mask_head logits: expected 6 numbers, found 5");
  EXPECT_EQ(sentence(16, 6, 5, good), "mask_head: expected Tokens 6, found Tokens 5");
  auto bad = good;
  bad.rows.first[2] = 0;
  bad.rows.first[1] = 1;
  bad.rows.second[1] = 1;
  EXPECT_EQ(sentence(16, 6, 6, bad),
            "mask_head axis: expected neighbours in ascending order below 2, found 0 and 1 at 2");
  bad = good;
  bad.columns.second[3] = 3;
  EXPECT_EQ(sentence(16, 6, 6, bad),
            "mask_head axis: expected neighbours in ascending order below 3, found 2 and 3 at 3");
  bad = good;
  bad.columns.first[0] = 1;
  bad.columns.second[0] = 0;
  EXPECT_EQ(sentence(16, 6, 6, bad),
            "mask_head axis: expected neighbours in ascending order below 3, found 1 and 0 at 0");
  bad = good;
  bad.rows.second.pop_back();
  EXPECT_EQ(sentence(16, 6, 6, bad), "mask_head axis: expected 4 numbers, found 3");
}

/// Every cell is written by one tile, every pixel made by one, and each finds its neighbours.
TEST(MaskTiles, ShareAGridAndItsPicture) {
  for (const Index cells : {1, 2, 3, 4, 5, 31, 32, 77}) {
    for (const Index pixels : {1, 3, 28, 900, 1234}) {
      const auto readout = mask_readout(cells, 1, 1, pixels, Upsample::bilinear, 0);
      for (const Index side : {cuda::tile_rows, cuda::tile_columns}) {
        const auto axis = cuda::reading_of(readout.rows, side);
        std::int32_t cell = 0;
        std::int32_t pixel = 0;
        for (std::int32_t tile = 0; tile < axis.tiles; ++tile) {
          const auto found = cuda::tile_of(axis, tile);
          EXPECT_EQ(found.cells.begin, cell);
          EXPECT_EQ(found.pixels.begin, pixel);
          EXPECT_LE(found.cells.size(), side);
          EXPECT_LE(found.window.begin, found.cells.begin);
          EXPECT_GE(found.window.end, found.cells.end);
          for (auto at = static_cast<std::size_t>(found.pixels.begin);
               at < static_cast<std::size_t>(found.pixels.end); ++at) {
            EXPECT_GE(readout.rows.first[at], found.window.begin);
            EXPECT_LT(readout.rows.second[at], found.window.end);
          }
          cell = found.cells.end;
          pixel = found.pixels.end;
        }
        EXPECT_EQ(cell, cells);
        EXPECT_EQ(pixel, pixels);
      }
    }
  }
  // Enlarged, a tile reads at most two cells beside its own on each side.
  const auto wide = mask_readout(32, 32, 896, 896, Upsample::bilinear, 0);
  EXPECT_LE(cuda::window_of(cuda::reading_of(wide.rows, cuda::tile_rows),
                            cuda::reading_of(wide.columns, cuda::tile_columns)),
            (cuda::tile_rows + 2) * (cuda::tile_columns + 2));
}

TEST(MaskTiles, RefuseNeighboursThatLieFarApart) {
  InterpolatedAxis far{.inputs = 200, .first = {0}, .second = {199}, .share = {0.5F}};
  const auto axis = cuda::reading_of(far, 4);
  EXPECT_EQ(usage_error([&] { (void)cuda::window_of(axis, axis); }),
            "mask_head: expected tiles that read at most 8192 cells, found 40000");
}

}  // namespace
}  // namespace stamp::test
