// SPDX-License-Identifier: Apache-2.0
// From image features and prompt tokens to masks and how good they are.
// Mirrors segment_anything/modeling/mask_decoder.py.
#pragma once

#include <cmath>
#include <stamp/model/sam/prompt_encoder.hpp>
#include <stamp/model/sam/two_way_transformer.hpp>
#include <stamp/nn/convolution.hpp>

namespace stamp::sam {

/// Which of its masks the decoder gives.
enum class MaskChoice {
  single,   ///< the one for prompts that mean one thing (multimask_output=False)
  several,  ///< the others, for prompts that may mean the whole, a part or a part of that
};

/// MLP: linear layers with ReLU between them.
template <SamBackend B>
struct HeadMlp {
  std::vector<Linear<B, Channels, Channels>> layers;

  static constexpr auto parts = std::tuple{Part{"layers", &HeadMlp::layers}};

  HeadMlp(Index in, Index inner, Index out, Index depth) {
    for (Index layer = 0; layer < depth; ++layer) {
      layers.emplace_back(Channels{layer == 0 ? in : inner},
                          Channels{layer + 1 == depth ? out : inner});
    }
  }

  /// x [R, in] to a new activation [R, out].
  template <class T, Axis R>
  [[nodiscard]] Activation<B, R, Channels> operator()(B& engine, View<T, R, Channels> x) const {
    auto y = layers.front()(engine, x);
    for (std::size_t layer = 1; layer < layers.size(); ++layer) {
      relu(engine, y);
      y = layers[layer](engine, y);
    }
    return y;
  }
};

/// Logits of masks at a quarter of the padded square's side, and the decoder's own guess of how
/// well each overlaps with the truth (intersection over union).
template <std::floating_point Number>
struct LowResMasks {
  Index masks = 0;
  Index side = 0;
  std::vector<Number> logits;  ///< [masks, side, side]
  std::vector<Number> iou;     ///< [masks]
};

/// tokens = [iou_token | mask_tokens | prompt] and the image look at each other (`transformer`);
/// then, with hypernetwork_m an MLP on mask token m,
///   logits_m = upscaling(image) · hypernetwork_m(token_m)     [4·grid, 4·grid]
///   iou      = iou_prediction_head(iou_token)                 [masks]
/// where `upscaling` is two transposed convolutions of 2 × 2, GELU behind each and LayerNorm2d
/// behind the first.
template <SamBackend B>
struct MaskDecoder {
  TwoWayTransformer<B> transformer;
  Embedding<B> iou_token, mask_tokens;
  TransposedConvolution<B> output_upscaling_0, output_upscaling_3;
  LayerNorm<B, Channels> output_upscaling_1;
  std::vector<HeadMlp<B>> output_hypernetworks_mlps;  ///< one a mask token
  HeadMlp<B> iou_prediction_head;
  MaskDecoderConfig config;

  static constexpr auto parts =
      std::tuple{Part{"transformer", &MaskDecoder::transformer},
                 Part{"iou_token", &MaskDecoder::iou_token},
                 Part{"mask_tokens", &MaskDecoder::mask_tokens},
                 Part{"output_upscaling.0", &MaskDecoder::output_upscaling_0},
                 Part{"output_upscaling.1", &MaskDecoder::output_upscaling_1},
                 Part{"output_upscaling.3", &MaskDecoder::output_upscaling_3},
                 Part{"output_hypernetworks_mlps", &MaskDecoder::output_hypernetworks_mlps},
                 Part{"iou_prediction_head", &MaskDecoder::iou_prediction_head}};

  explicit MaskDecoder(const MaskDecoderConfig& c)
      : transformer(c),
        iou_token(Vocab{1}, Hidden{c.hidden_size}),
        mask_tokens(Vocab{c.masks()}, Hidden{c.hidden_size}),
        output_upscaling_0(Channels{c.hidden_size}, Channels{c.hidden_size / 4}, 2),
        output_upscaling_3(Channels{c.hidden_size / 4}, Channels{c.hidden_size / 8}, 2),
        output_upscaling_1(Channels{c.hidden_size / 4}, norm_eps),
        iou_prediction_head(c.hidden_size, c.iou_head_hidden_dim, c.masks(), c.iou_head_depth),
        config(c) {
    for (Index mask = 0; mask < c.masks(); ++mask) {
      output_hypernetworks_mlps.emplace_back(c.hidden_size, c.hidden_size, c.hidden_size / 8,
                                             hypernetwork_depth);
    }
  }

  /// `image` and `positions` [Pixels, Channels] are the encoder's features and where they stand, of
  /// a square map of `grid`; `sparse` [Tokens, Channels] and `dense` [Pixels, Channels] the prompt.
  /// One mask for MaskChoice::single, num_multimask_outputs for `several`.
  template <Tap<B> T = NoTap>
  [[nodiscard]] LowResMasks<typename B::Number> operator()(
      B& engine, View<const typename B::Element, Pixels, Channels> image,
      View<const typename B::Element, Pixels, Channels> positions,
      Activation<B, Tokens, Channels> sparse, Activation<B, Pixels, Channels> dense, MapSize grid,
      MaskChoice choice, const T& tap = {}) const {
    using Element = typename B::Element;
    const auto frame = engine.frame();
    const Index masks = config.masks();

    // Tokens: one that will tell the quality, one a mask, then the prompt.
    const Tokens count{1 + masks + sparse.extents()[0]};
    const auto tokens = engine.template allocate<Element>(count, Channels{config.hidden_size});
    std::vector<std::int32_t> all(static_cast<std::size_t>(masks));
    for (std::size_t mask = 0; mask < all.size(); ++mask) {
      all[mask] = static_cast<std::int32_t>(mask);
    }
    copy(engine, rows(tokens, 0, 1), learned(engine, iou_token, std::span(all).first(1)));
    copy(engine, rows(tokens, 1, masks), learned(engine, mask_tokens, all));
    copy(engine, rows(tokens, 1 + masks, sparse.extents()[0]), sparse);

    const auto queries = engine.template allocate<Element>(count, Channels{config.hidden_size});
    copy(engine, queries, tokens);
    const auto keys = sum(engine, image, dense);
    transformer(engine, queries, keys, {tokens, positions}, tap.within("transformer"));

    auto upscaled = output_upscaling_1(engine, output_upscaling_0(engine, keys, grid));
    gelu(engine, upscaled);
    upscaled = output_upscaling_3(engine, upscaled, {2 * grid.height, 2 * grid.width});
    gelu(engine, upscaled);
    tap.record(engine, "upscaled", upscaled);

    const Index first = choice == MaskChoice::single ? 0 : 1;
    const Index given = choice == MaskChoice::single ? 1 : config.num_multimask_outputs;
    const auto kernels =
        engine.template allocate<Element>(Masks{given}, Channels{config.hidden_size / 8});
    for (Index mask = 0; mask < given; ++mask) {
      const auto& mlp = output_hypernetworks_mlps[static_cast<std::size_t>(first + mask)];
      copy(engine, rows(kernels, mask, 1),
           rename<Masks, Channels>(mlp(engine, rows(queries, 1 + first + mask, 1))));
    }
    tap.record(engine, "hypernetworks", kernels);
    const auto quality = iou_prediction_head(engine, rows(queries, 0, 1));
    tap.record(engine, "iou_prediction_head", quality);

    const auto logits =
        engine.template allocate<Element>(upscaled.template axis<Pixels>(), Masks{given});
    matmul(engine, logits, upscaled, View<const Element, Masks, Channels>(kernels));
    return result(engine, logits, quality, first);
  }

 private:
  using Number = typename B::Number;
  static constexpr double norm_eps = 1e-6;  // LayerNorm2d's own
  static constexpr Index hypernetwork_depth = 3;

  [[nodiscard]] static LowResMasks<Number> result(B& engine, Activation<B, Pixels, Masks> logits,
                                                  Activation<B, Tokens, Channels> quality,
                                                  Index first) {
    LowResMasks<Number> low;
    low.masks = logits.extents()[1];
    const Index pixels = logits.extents()[0];
    low.side = std::lround(std::sqrt(static_cast<double>(pixels)));
    std::vector<Number> beside(static_cast<std::size_t>(logits.size()));
    engine.download(std::span<Number>(beside), logits);
    for (Index mask = 0; mask < low.masks; ++mask) {
      for (Index at = 0; at < pixels; ++at) {
        low.logits.push_back(beside[static_cast<std::size_t>(at * low.masks + mask)]);
      }
    }
    std::vector<Number> iou(static_cast<std::size_t>(quality.size()));
    engine.download(std::span<Number>(iou), quality);
    low.iou.assign(iou.begin() + first, iou.begin() + first + low.masks);
    return low;
  }
};

}  // namespace stamp::sam
