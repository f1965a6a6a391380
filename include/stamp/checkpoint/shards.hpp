// SPDX-License-Identifier: Apache-2.0
// The weights of a checkpoint folder: one model.safetensors, or the shards that
// model.safetensors.index.json names. Files are opened once and then used by descriptor only.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stamp/checkpoint/names.hpp>
#include <stamp/checkpoint/safetensors.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

class Fields;

/// All tensors of a folder by their canonical names. Owns the memory maps; safe to read from
/// several threads.
class CheckpointWeights {
 public:
  /// Throws Error{input} naming the file, the tensor and the rule.
  explicit CheckpointWeights(std::filesystem::path folder);

  /// The tensor of this canonical name. Throws Error{input} when its type cannot be computed from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const;
  [[nodiscard]] const TensorEntry* entry(std::string_view name) const;
  /// Canonical names in alphabetical order.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] const std::deque<Safetensors>& files() const { return files_; }
  /// To be called when loading is done: Error{input} if a file was written to meanwhile.
  void check_unchanged() const;

 private:
  struct Place {
    const Safetensors* file = nullptr;
    const TensorEntry* entry = nullptr;
  };

  [[nodiscard]] static bool stands(const std::filesystem::path& path);

  void open_shards(const std::filesystem::path& path);

  void open_shard(const std::string& index, const std::string& name, std::size_t tensors);

  /// Judges the file that is open, not the name that led to it. Links into the folder's own
  /// download cache are how the Hugging Face hub lays its snapshots out:
  /// models--X/snapshots/REVISION/file -> models--X/blobs/HASH.
  [[nodiscard]] bool is_inside(const RegularFile& file) const;

  /// Every tensor stands in exactly the file that the index names for it.
  void check_index(const Fields& index,
                   const std::map<std::string, std::vector<std::string>>& tensors_of) const;

  void enlist(const Safetensors& file);

  [[noreturn]] void refuse_empty_folder() const;

  std::filesystem::path folder_;
  std::deque<Safetensors> files_;  // a deque: places_ points into it
  std::map<std::string, Place, std::less<>> places_;
};

static_assert(WeightSource<CheckpointWeights>);

}  // namespace stamp::checkpoint
