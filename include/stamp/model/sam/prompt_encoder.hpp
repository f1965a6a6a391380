// SPDX-License-Identifier: Apache-2.0
// Points, boxes and coarse masks as numbers for the decoder.
// Mirrors segment_anything/modeling/prompt_encoder.py.
#pragma once

#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <span>
#include <stamp/model/sam/config.hpp>
#include <stamp/nn/convolution.hpp>
#include <stamp/nn/embedding.hpp>
#include <stamp/nn/layer_norm.hpp>
#include <vector>

namespace stamp::sam {

/// What a point says about its place.
enum class PointLabel { background = 0, foreground = 1 };

/// A point of the padded square, in pixels from its upper left corner.
struct Point {
  float x = 0;
  float y = 0;
  PointLabel label = PointLabel::foreground;
};

/// Two opposite corners in the padded square, in pixels: upper left, lower right.
struct Box {
  float x0 = 0;
  float y0 = 0;
  float x1 = 0;
  float y1 = 0;
};

/// What is asked of one image; every part may be missing, but not all of them.
struct Prompt {
  std::vector<Point> points{};
  std::optional<Box> box{};
  std::vector<double> mask_logits{};  ///< [mask_side, mask_side] or empty
};

/// PositionEmbeddingRandom: a point of the unit square becomes sines and cosines of random
/// frequencies, (sin(2π·(2p - 1)·G), cos(…)), G [2, Channels/2]: row 0 for x, row 1 for y.
template <SamBackend B>
struct RandomPositions {
  using Number = typename B::Number;
  Channels channels;
  std::vector<Number> frequencies{};  ///< G, in host memory

  explicit RandomPositions(Channels width) : channels(width) {}

  /// `at` are pairs x, y in [0, 1]; row after row of Channels numbers.
  [[nodiscard]] std::vector<Number> operator()(std::span<const std::array<Number, 2>> at) const {
    const auto half = static_cast<std::size_t>(channels.size / 2);
    std::vector<Number> codes(at.size() * 2 * half);
    for (std::size_t row = 0; row < at.size(); ++row) {
      const Number x = 2 * at[row][0] - 1;
      const Number y = 2 * at[row][1] - 1;
      for (std::size_t j = 0; j < half; ++j) {
        const Number angle =
            2 * std::numbers::pi_v<Number> * (x * frequencies[j] + y * frequencies[half + j]);
        codes[2 * half * row + j] = std::sin(angle);
        codes[2 * half * row + half + j] = std::cos(angle);
      }
    }
    return codes;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    const Channels half{channels.size / 2};
    visit("positional_encoding_gaussian_matrix", {2, half.size},
          "(coordinates 2, Channels " + std::to_string(half.size) + ")");
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    const auto frame = engine.frame();
    const Pixels both{2};
    const Channels half{channels.size / 2};
    const auto table = engine.table(find("positional_encoding_gaussian_matrix"), both, half);
    const auto rows = engine.template allocate<typename B::Element>(both, half);
    constexpr std::array<std::int32_t, 2> ids{0, 1};
    embed(engine, rows, table, std::span<const std::int32_t>(ids));
    frequencies.resize(static_cast<std::size_t>(channels.size));
    engine.download(std::span<Number>(frequencies), rows);
  }
};

/// A few learned vectors, one a row, as an activation of the decoder.
template <SamBackend B>
[[nodiscard]] Activation<B, Tokens, Channels> learned(B& engine, const Embedding<B>& table,
                                                      std::span<const std::int32_t> ids) {
  return rename<Tokens, Channels>(table(engine, ids));
}

/// A prompt as the decoder takes it: points and box become tokens, `sparse` [Tokens, Channels]; a
/// mask becomes a map, `dense` [Pixels, Channels], of three convolutions with LayerNorm2d and GELU
/// between them, which narrow it four times along each side. What is missing is learned, too:
/// not_a_point_embed, no_mask_embed.
template <SamBackend B>
struct PromptEncoder {
  RandomPositions<B> pe_layer;
  std::vector<Embedding<B>> point_embeddings;  ///< background, foreground, upper left, lower right
  Embedding<B> not_a_point_embed, no_mask_embed;
  Convolution<B> mask_downscaling_0, mask_downscaling_3, mask_downscaling_6;
  LayerNorm<B, Channels> mask_downscaling_1, mask_downscaling_4;
  Config config;

  static constexpr auto parts =
      std::tuple{Part{"pe_layer", &PromptEncoder::pe_layer},
                 Part{"point_embeddings", &PromptEncoder::point_embeddings},
                 Part{"not_a_point_embed", &PromptEncoder::not_a_point_embed},
                 Part{"no_mask_embed", &PromptEncoder::no_mask_embed},
                 Part{"mask_downscaling.0", &PromptEncoder::mask_downscaling_0},
                 Part{"mask_downscaling.1", &PromptEncoder::mask_downscaling_1},
                 Part{"mask_downscaling.3", &PromptEncoder::mask_downscaling_3},
                 Part{"mask_downscaling.4", &PromptEncoder::mask_downscaling_4},
                 Part{"mask_downscaling.6", &PromptEncoder::mask_downscaling_6}};

  explicit PromptEncoder(const Config& c)
      : pe_layer(width(c)),
        not_a_point_embed(Vocab{1}, Hidden{c.decoder.hidden_size}),
        no_mask_embed(Vocab{1}, Hidden{c.decoder.hidden_size}),
        mask_downscaling_0(Channels{1}, Channels{c.mask_input_channels / 4}, 2, 2),
        mask_downscaling_3(Channels{c.mask_input_channels / 4}, Channels{c.mask_input_channels}, 2,
                           2),
        mask_downscaling_6(Channels{c.mask_input_channels}, width(c), 1),
        mask_downscaling_1(Channels{c.mask_input_channels / 4}, norm_eps),
        mask_downscaling_4(Channels{c.mask_input_channels}, norm_eps),
        config(c) {
    constexpr Index kinds = 4;
    for (Index kind = 0; kind < kinds; ++kind) {
      point_embeddings.emplace_back(Vocab{1}, Hidden{c.decoder.hidden_size});
    }
  }

  /// Where the positions of the encoded image stand: the centres of its grid, [Pixels, Channels].
  [[nodiscard]] Activation<B, Pixels, Channels> dense_positions(B& engine) const {
    using Number = typename B::Number;
    const Index grid = config.vision.grid();
    std::vector<std::array<Number, 2>> centres;
    for (Index at = 0; at < grid * grid; ++at) {
      const auto centre = [&](Index cell) {
        return (static_cast<Number>(cell) + static_cast<Number>(0.5)) / static_cast<Number>(grid);
      };
      centres.push_back({centre(at % grid), centre(at / grid)});
    }
    auto y = engine.template allocate<typename B::Element>(Pixels{grid * grid}, width(config));
    const auto codes = pe_layer(centres);
    engine.upload(y, std::span<const Number>(codes));
    return y;
  }

  /// Tokens of points and box, in this order, [Tokens, Channels]: the code of each place plus what
  /// was learned for its kind. Without a box a token follows that stands for no point.
  [[nodiscard]] Activation<B, Tokens, Channels> sparse(B& engine, const Prompt& prompt) const {
    using Number = typename B::Number;
    const auto side = static_cast<Number>(config.vision.image_size);
    std::vector<std::array<Number, 2>> places;
    std::vector<const Embedding<B>*> kinds;
    const auto join = [&](float x, float y, const Embedding<B>& kind) {
      const auto half = static_cast<Number>(0.5);  // to the pixel's centre
      places.push_back(
          {(static_cast<Number>(x) + half) / side, (static_cast<Number>(y) + half) / side});
      kinds.push_back(&kind);
    };
    for (const Point& point : prompt.points) {
      join(point.x, point.y, point_embeddings[static_cast<std::size_t>(point.label)]);
    }
    const bool padded = !prompt.points.empty() && !prompt.box;
    if (prompt.box) {
      join(prompt.box->x0, prompt.box->y0, point_embeddings[2]);
      join(prompt.box->x1, prompt.box->y1, point_embeddings[3]);
    }
    auto codes = pe_layer(places);
    if (padded) {
      codes.resize(codes.size() + static_cast<std::size_t>(width(config).size));
      kinds.push_back(&not_a_point_embed);
    }
    const Tokens tokens{static_cast<Index>(kinds.size())};
    auto y = engine.template allocate<typename B::Element>(tokens, width(config));
    engine.upload(y, std::span<const Number>(codes));
    const auto frame = engine.frame();
    constexpr std::array<std::int32_t, 1> only{0};
    for (Index token = 0; token < tokens.size; ++token) {
      add(engine, rows(y, token, 1),
          learned(engine, *kinds[static_cast<std::size_t>(token)], only));
    }
    return y;
  }

  /// What the mask prompt, or its absence, adds to every position of the image, [Pixels, Channels].
  [[nodiscard]] Activation<B, Pixels, Channels> dense(B& engine, const Prompt& prompt) const {
    const Index grid = config.vision.grid();
    auto y = engine.template allocate<typename B::Element>(Pixels{grid * grid}, width(config));
    const auto frame = engine.frame();
    if (prompt.mask_logits.empty()) {
      const std::vector<std::int32_t> same(static_cast<std::size_t>(grid * grid), 0);
      copy(engine, y, rename<Pixels, Channels>(no_mask_embed(engine, same)));
      return y;
    }
    const MapSize whole{config.mask_side(), config.mask_side()};
    const MapSize half{whole.height / 2, whole.width / 2};
    const auto mask = engine.template allocate<typename B::Element>(whole.pixels(), Channels{1});
    const std::vector<typename B::Number> logits(prompt.mask_logits.begin(),
                                                 prompt.mask_logits.end());
    engine.upload(mask, std::span<const typename B::Number>(logits));
    const auto first = mask_downscaling_1(engine, mask_downscaling_0(engine, mask, whole));
    gelu(engine, first);
    const auto second = mask_downscaling_4(engine, mask_downscaling_3(engine, first, half));
    gelu(engine, second);
    copy(engine, y, mask_downscaling_6(engine, second, {grid, grid}));
    return y;
  }

 private:
  static constexpr double norm_eps = 1e-6;  // LayerNorm2d's own
  static Channels width(const Config& c) { return Channels{c.decoder.hidden_size}; }
};

}  // namespace stamp::sam
