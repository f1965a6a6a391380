// SPDX-License-Identifier: Apache-2.0
// The weights of a SAM by the names of segment-anything, from a `.pth` or a safetensors file that
// has either those names or the ones of transformers' SamModel.
#pragma once

#include <filesystem>
#include <map>
#include <stamp/checkpoint/sam_names.hpp>
#include <stamp/checkpoint/tensor_file.hpp>
#include <stamp/checkpoint/tensor_problems.hpp>
#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// Where a SAM's weights are: `path` itself, or model.safetensors where it is a folder, as
/// transformers writes it. Throws Error{input} for a folder without it, with the file to name.
[[nodiscard]] std::filesystem::path sam_file(const std::filesystem::path& path);

/// Owns the file; the tensors that it hands out live as long as it does. Safe to read from several
/// threads.
class SamWeights {
 public:
  /// Throws Error{input} as TensorFile does. Whether all tensors of a SAM are there is
  /// `require_tensors`' business; a file that holds none of them opens and has none.
  explicit SamWeights(TensorFile file);
  explicit SamWeights(const std::filesystem::path& path) : SamWeights(TensorFile(path)) {}

  [[nodiscard]] const TensorFile& file() const { return file_; }
  [[nodiscard]] const TensorEntry* entry(std::string_view official) const;
  /// Throws Error{input} when its type is not one to compute from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view official) const;

 private:
  TensorFile file_;
  std::map<std::string, const TensorEntry*, std::less<>> places_;
};

static_assert(WeightSource<SamWeights> && TensorListing<SamWeights>);

}  // namespace stamp::checkpoint
