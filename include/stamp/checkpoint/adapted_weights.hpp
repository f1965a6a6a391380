// SPDX-License-Identifier: Apache-2.0
// The weights that a model is bound to: a checkpoint's own, with an adapter laid over them if
// there is one. Merged tensors are made when they are first asked for.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stamp/checkpoint/lora.hpp>
#include <stamp/checkpoint/shards.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// What a merged matrix is kept in. PyTorch merges in the type that the model is loaded in: for a
/// run in float32 or float64 the numbers are widened first, for one in bfloat16 the sum is rounded.
enum class MergeInto { stored_type, float32, float64 };

/// Owns maps, adapter and merged tensors; what `find` gave lives as long as it does. Memory: the
/// maps, plus the bytes of those merged tensors that were asked for. Safe for several threads.
class AdaptedWeights {
 public:
  /// Throws as CheckpointWeights does.
  explicit AdaptedWeights(const std::filesystem::path& base) : base_(base) {}
  /// Throws as LoraAdapter does.
  AdaptedWeights(const std::filesystem::path& base, const std::filesystem::path& adapter,
                 MergeInto into = MergeInto::stored_type);

  /// The tensor of this canonical name: as MergeInto says where it is merged, in the adapter's type
  /// where it is replaced.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const;

  /// Shape and stored type without merging anything; null pointer when there is no such tensor.
  [[nodiscard]] const TensorEntry* entry(std::string_view name) const;

  /// Canonical names in alphabetical order, those that only the adapter has included.
  [[nodiscard]] std::vector<std::string> names() const;

  /// For a base whose head is tied to its embedding and an adapter that replaces the embedding
  /// alone: PEFT leaves the head on the base's embedding, and "lm_head.weight" becomes that.
  /// To be called before the weights are shared.
  void keep_head_of_base() { keeps_head_ = true; }

  [[nodiscard]] const CheckpointWeights& base() const { return base_; }
  [[nodiscard]] const LoraAdapter* adapter() const { return adapter_ ? &*adapter_ : nullptr; }
  /// To be called when loading is done: Error{input} if a file was written to meanwhile.
  void check_unchanged() const;

 private:
  /// `tensor` as Numbers in `bytes`, exactly; nothing to do where it is as wide already.
  template <class Number>
  static StoredTensor widened(StoredTensor tensor, std::vector<std::byte>& bytes) {
    if (bytes_of(tensor.type) >= static_cast<Index>(sizeof(Number))) return tensor;
    std::vector<Number> numbers(static_cast<std::size_t>(tensor.size()));
    widen_stored(tensor, 0, tensor.size(), numbers.data());
    const auto raw = std::as_bytes(std::span(numbers));
    bytes.assign(raw.begin(), raw.end());
    tensor.type = std::same_as<Number, double> ? ElementType::float64 : ElementType::float32;
    tensor.data = bytes.data();
    tensor.mapped = false;
    return tensor;
  }

  CheckpointWeights base_;
  MergeInto into_ = MergeInto::stored_type;
  std::optional<LoraAdapter> adapter_;
  bool keeps_head_ = false;
  mutable std::mutex merging_;
  mutable std::map<std::string, std::vector<std::byte>, std::less<>> merged_;
};

static_assert(WeightSource<AdaptedWeights>);

}  // namespace stamp::checkpoint
