// SPDX-License-Identifier: Apache-2.0
// THE list of what a backend must offer. Layers and models use nothing else.
//
// A backend is an engine type: it owns memory, threads or a stream, and names six types
//   Element        what activations are stored in
//   Number         what angles, activations and results are exchanged in: float, or double
//   Matrix<O, I>   how it keeps a weight that multiplies
//   Table<V, H>    how it keeps an embedding table
//   Vector<A>      how it keeps a norm's weight or a bias
//   Kept<Axes...>  how it keeps Elements beyond a frame: a cache's keys and values, an image's
//                  features
// and its operations are free functions in its namespace, found by argument-dependent lookup, as
// operation(engine, output, inputs...). Outputs never alias inputs unless an operation says
// "in place". Sums are taken in Accumulator<Element> or wider. Shapes are checked at the door of
// each operation; Error{usage} names the axis. Each concept below is one requirement, so that a
// compiler's complaint names the operation that is missing.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <stamp/ops/mask.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/stored.hpp>
#include <stamp/tensor/view.hpp>

namespace stamp {

/// An activation in the engine's memory, valid until the frame ends in which it was made.
template <class B, Axis... Axes>
using Activation = View<typename B::Element, Axes...>;

namespace requirement {

/// The types that an engine names. Weights are made empty and bound later.
template <class B>
concept NamesItsTypes = Element<typename B::Element> && std::floating_point<typename B::Number> &&
                        std::default_initializable<typename B::template Matrix<Vocab, Hidden>> &&
                        std::default_initializable<typename B::template Table<Vocab, Hidden>> &&
                        std::default_initializable<typename B::template Vector<Hidden>> &&
                        std::movable<typename B::template Kept<Keys, KvHeads, HeadDim>>;

/// engine.frame() starts a scope of scratch memory; engine.allocate<T>(axes...) takes from it,
/// dense and not initialised, for Elements, Numbers and int32; engine.keep(axes...) makes a
/// Kept<Axes...>, which gives its memory back when it is dropped and has view(), of const Elements
/// where it is const.
template <class B>
concept GivesMemory =
    requires(B& engine, const typename B::template Kept<Tokens, Hidden>& features) {
      engine.frame();
      {
        engine.template allocate<typename B::Element>(Tokens{1}, Heads{1}, HeadDim{1})
      } -> std::same_as<View<typename B::Element, Tokens, Heads, HeadDim>>;
      {
        engine.template allocate<typename B::Number>(Patches{1}, Pairs{1})
      } -> std::same_as<View<typename B::Number, Patches, Pairs>>;
      {
        engine.template allocate<std::int32_t>(Tokens{1})
      } -> std::same_as<View<std::int32_t, Tokens>>;
      {
        engine.keep(Keys{1}, KvHeads{1}, HeadDim{1})
      } -> std::same_as<typename B::template Kept<Keys, KvHeads, HeadDim>>;
      {
        engine.keep(Tokens{1}, Hidden{1}).view()
      } -> std::same_as<View<typename B::Element, Tokens, Hidden>>;
      { features.view() } -> std::same_as<View<const typename B::Element, Tokens, Hidden>>;
    };

/// engine.matrix(stored, out, in), engine.table(stored, rows, width) and engine.vector(stored,
/// axis) take over a weight whose shape has been checked. A matrix names its axes as `out` and
/// `in`. The stored bytes stay valid as long as the engine's user keeps the checkpoint.
template <class B>
concept TakesWeights = requires(B& engine, const StoredTensor& stored) {
  {
    engine.matrix(stored, Vocab{1}, Hidden{1})
  } -> std::same_as<typename B::template Matrix<Vocab, Hidden>>;
  { engine.matrix(stored, Vocab{1}, Hidden{1}).out } -> std::convertible_to<Vocab>;
  { engine.matrix(stored, Vocab{1}, Hidden{1}).in } -> std::convertible_to<Hidden>;
  {
    engine.table(stored, Vocab{1}, Hidden{1})
  } -> std::same_as<typename B::template Table<Vocab, Hidden>>;
  { engine.vector(stored, Hidden{1}) } -> std::same_as<typename B::template Vector<Hidden>>;
};

/// engine.upload(view, numbers) and engine.download(numbers, view): dense views of any axes,
/// row-major. Elements are made from Numbers, or from floats, which pixels are whatever the
/// engine's Number; Numbers and int32 go up as they are; Elements come back as Numbers. Both wait.
template <class B>
concept MovesNumbers = requires(
    B& engine, View<typename B::Element, Tokens, Hidden> activation,
    View<typename B::Element, Vocab> scores, View<typename B::Element, Patches, PatchLength> pixels,
    View<typename B::Number, Patches, Pairs> angles, View<std::int32_t, Tokens> integers,
    std::span<const std::int32_t> host_integers, std::span<const float> host_pixels,
    std::span<const typename B::Number> host, std::span<typename B::Number> result) {
  engine.upload(activation, host);
  engine.upload(pixels, host_pixels);
  engine.upload(angles, host);
  engine.upload(integers, host_integers);
  engine.download(result, activation);
  engine.download(result, scores);
};

/// matmul(engine, y, x, w[, bias]): y = x·Wᵀ + bias, y [R, O], x [R, I], W [O, I], bias [O].
/// torch.nn.functional.linear.
template <class B>
concept HasMatmul = requires(B& engine, View<typename B::Element, Tokens, Ffn> y,
                             View<const typename B::Element, Tokens, Hidden> x,
                             const typename B::template Matrix<Ffn, Hidden>& w,
                             const typename B::template Vector<Ffn>& bias) {
  matmul(engine, y, x, w);
  matmul(engine, y, x, w, bias);
};

/// add(engine, y, x): y += x, in place, equal shapes. The residual connection.
template <class B>
concept HasAdd = requires(B& engine, View<typename B::Element, Tokens, Hidden> y,
                          View<const typename B::Element, Tokens, Hidden> x) { add(engine, y, x); };

/// copy(engine, y, x): y = x, equal shapes, either may have a stride.
template <class B>
concept HasCopy =
    requires(B& engine, View<typename B::Element, Keys, KvHeads, HeadDim> y,
             View<const typename B::Element, Keys, KvHeads, HeadDim> x) { copy(engine, y, x); };

/// rms_norm(engine, y, x, weight, eps): y = round(x / sqrt(mean(x²) + eps)) · weight a row, the
/// quotient rounded to Element before the product. Qwen2RMSNorm of transformers.
template <class B>
concept HasRmsNorm = requires(B& engine, View<typename B::Element, Tokens, Hidden> y,
                              View<const typename B::Element, Tokens, Hidden> x,
                              const typename B::template Vector<Hidden>& weight) {
  rms_norm(engine, y, x, weight, 1e-6);
};

/// layer_norm(engine, y, x, weight, bias, eps): y = (x - mean) / sqrt(variance + eps) · weight +
/// bias a row, biased variance; y may be x. torch.nn.functional.layer_norm.
template <class B>
concept HasLayerNorm = requires(B& engine, View<typename B::Element, Patches, VisionHidden> y,
                                View<const typename B::Element, Patches, VisionHidden> x,
                                const typename B::template Vector<VisionHidden>& weight) {
  layer_norm(engine, y, x, weight, weight, 1e-6);
};

/// quick_gelu(engine, x): x·sigmoid(1.702·x), in place. transformers' QuickGELUActivation.
template <class B>
concept HasQuickGelu =
    requires(B& engine, View<typename B::Element, Patches, VisionFfn> x) { quick_gelu(engine, x); };

/// gelu(engine, x): x·Φ(x) with the exact error function, in place. torch.nn.functional.gelu.
template <class B>
concept HasGelu =
    requires(B& engine, View<typename B::Element, Tokens, Merged> x) { gelu(engine, x); };

/// swiglu(engine, gate, up): gate = silu(gate)·up, in place, silu(z) = z·sigmoid(z).
template <class B>
concept HasSwiglu =
    requires(B& engine, View<typename B::Element, Tokens, Ffn> gate,
             View<const typename B::Element, Tokens, Ffn> up) { swiglu(engine, gate, up); };

/// embed(engine, y, table, ids): y[i] = table[ids[i]]; ids in host memory, each in [0, Vocab).
/// torch.nn.functional.embedding.
template <class B>
concept HasEmbed = requires(B& engine, View<typename B::Element, Tokens, Hidden> y,
                            const typename B::template Table<Vocab, Hidden>& table,
                            std::span<const std::int32_t> ids) { embed(engine, y, table, ids); };

/// rotate(engine, x, cosine, sine): rotary embedding, in place. With P = HeadDim/2, for each row,
/// head and pair j: (x[j], x[j+P]) turns by the angle of (row, j). cosine, sine [R, Pairs].
/// Upstream's rotate_half form, for the vision tower and the language model alike.
template <class B>
concept HasRotate = requires(B& engine, View<typename B::Element, Tokens, Heads, HeadDim> x,
                             View<const typename B::Number, Tokens, Pairs> angle) {
  rotate(engine, x, angle, angle);
};

/// attend(engine, y, query, key, value, scale, mask): y = softmax(scale·q·kᵀ)·v over the keys that
/// mask.visible(row) names; query and y [R, Heads, HeadDim], key and value [Keys, KvHeads,
/// HeadDim]; query head h reads key head h/(Heads/KvHeads). A row that sees no key becomes zero.
/// torch.nn.functional.scaled_dot_product_attention(enable_gqa=True).
template <class B>
concept HasAttend = requires(B& engine, View<typename B::Element, Tokens, Heads, HeadDim> y,
                             View<const typename B::Element, Tokens, Heads, HeadDim> query,
                             View<const typename B::Element, Keys, KvHeads, HeadDim> key) {
  attend(engine, y, query, key, key, 1.0, Causal{});
  attend(engine, y, query, key, key, 1.0, Bidirectional{});
  attend(engine, y, query, key, key, 1.0, BlockDiagonal{});
  attend(engine, y, query, key, key, 1.0, HybridMask{});
  attend(engine, y, query, key, key, 1.0, MaskRows{});
  attend(engine, y, query, key, key, 1.0, MaskBlocks{});
};

}  // namespace requirement

/// An engine that can run every layer and model of this library.
template <class B>
concept Backend =
    requirement::NamesItsTypes<B> && requirement::GivesMemory<B> && requirement::TakesWeights<B> &&
    requirement::MovesNumbers<B> && requirement::HasMatmul<B> && requirement::HasAdd<B> &&
    requirement::HasCopy<B> && requirement::HasRmsNorm<B> && requirement::HasLayerNorm<B> &&
    requirement::HasQuickGelu<B> && requirement::HasGelu<B> && requirement::HasSwiglu<B> &&
    requirement::HasEmbed<B> && requirement::HasRotate<B> && requirement::HasAttend<B>;

}  // namespace stamp
