// SPDX-License-Identifier: Apache-2.0
// Axes are types: the glossary of every dimension that a tensor of this library can have.
// `Tokens{7}` is the tag and the extent at once, so a shape is read in the signature.
#pragma once

#include <concepts>
#include <stamp/tensor/check.hpp>
#include <string_view>
#include <type_traits>

namespace stamp {

/// A named dimension: an aggregate of one member `size` and a static `name`.
template <class A>
concept Axis = std::is_trivially_copyable_v<A> && requires(A axis) {
  { A::name } -> std::convertible_to<std::string_view>;
  { axis.size } -> std::same_as<Index&>;
};

// The language model.
/// Positions of a text (words, image tokens or mask tokens).
struct Tokens {
  static constexpr std::string_view name = "Tokens";
  Index size;
};
/// Residual stream of the language model.
struct Hidden {
  static constexpr std::string_view name = "Hidden";
  Index size;
};
/// Inner width of the gated MLP.
struct Ffn {
  static constexpr std::string_view name = "Ffn";
  Index size;
};
/// Rows of the embedding table.
struct Vocab {
  static constexpr std::string_view name = "Vocab";
  Index size;
};

// Attention.
/// Query heads.
struct Heads {
  static constexpr std::string_view name = "Heads";
  Index size;
};
/// Key/value heads; a divisor of Heads (grouped-query attention).
struct KvHeads {
  static constexpr std::string_view name = "KvHeads";
  Index size;
};
/// Numbers in one head.
struct HeadDim {
  static constexpr std::string_view name = "HeadDim";
  Index size;
};
/// Heads · HeadDim, side by side.
struct Queries {
  static constexpr std::string_view name = "Queries";
  Index size;
};
/// KvHeads · HeadDim, side by side.
struct KeyValues {
  static constexpr std::string_view name = "KeyValues";
  Index size;
};
/// Slots of a key/value cache, or keys that a query may look at.
struct Keys {
  static constexpr std::string_view name = "Keys";
  Index size;
};
/// Pairs of numbers that rotate together: HeadDim / 2.
struct Pairs {
  static constexpr std::string_view name = "Pairs";
  Index size;
};

// The vision tower.
/// Patches of the image, in merge-group order.
struct Patches {
  static constexpr std::string_view name = "Patches";
  Index size;
};
/// Channels · frames · rows · columns of one patch.
struct PatchLength {
  static constexpr std::string_view name = "PatchLength";
  Index size;
};
/// Residual stream of the vision tower.
struct VisionHidden {
  static constexpr std::string_view name = "VisionHidden";
  Index size;
};
/// 3 · VisionHidden: query, key and value from one product.
struct FusedQkv {
  static constexpr std::string_view name = "FusedQkv";
  Index size;
};
/// Inner width of the vision tower's MLP.
struct VisionFfn {
  static constexpr std::string_view name = "VisionFfn";
  Index size;
};
/// merge² · VisionHidden: the patches of one merge group side by side.
struct Merged {
  static constexpr std::string_view name = "Merged";
  Index size;
};

// Feature maps (SAM).
/// Positions of a two-dimensional map, row by row: height · width.
struct Pixels {
  static constexpr std::string_view name = "Pixels";
  Index size;
};
/// Numbers at one position of a map, or of one prompt token.
struct Channels {
  static constexpr std::string_view name = "Channels";
  Index size;
};
/// Differences of two positions along one side of a map: 2 · side - 1.
struct Offsets {
  static constexpr std::string_view name = "Offsets";
  Index size;
};
/// Masks that one prompt gives.
struct Masks {
  static constexpr std::string_view name = "Masks";
  Index size;
};

// The mask head.
/// The single logit of a mask token.
struct Logit {
  static constexpr std::string_view name = "Logit";
  Index size;
};

}  // namespace stamp
