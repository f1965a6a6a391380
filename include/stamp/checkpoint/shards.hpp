// SPDX-License-Identifier: Apache-2.0
// The weights of a checkpoint folder: one model.safetensors, or the shards that
// model.safetensors.index.json names. Files are opened once and then used by descriptor only.
#pragma once

#include <algorithm>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stamp/checkpoint/json_fields.hpp>
#include <stamp/checkpoint/names.hpp>
#include <stamp/checkpoint/safetensors.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// All tensors of a folder by their canonical names. Owns the memory maps; safe to read from
/// several threads.
class CheckpointWeights {
 public:
  /// Throws Error{input} naming the file, the tensor and the rule.
  explicit CheckpointWeights(std::filesystem::path folder) : folder_(std::move(folder)) {
    const auto single = folder_ / "model.safetensors";
    const auto index = folder_ / "model.safetensors.index.json";
    if (stands(single)) {
      files_.emplace_back(single);
    } else if (stands(index)) {
      open_shards(index);
    } else {
      refuse_empty_folder();
    }
    for (const Safetensors& file : files_) enlist(file);
  }

  /// The tensor of this canonical name. Throws Error{input} when its type cannot be computed from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    const auto place = places_.find(name);
    if (place == places_.end()) return std::nullopt;
    return place->second.file->view(*place->second.entry);
  }
  [[nodiscard]] const TensorEntry* entry(std::string_view name) const {
    const auto place = places_.find(name);
    return place == places_.end() ? nullptr : place->second.entry;
  }
  /// Canonical names in alphabetical order.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    names.reserve(places_.size());
    for (const auto& [name, place] : places_) names.push_back(name);
    return names;
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] const std::deque<Safetensors>& files() const { return files_; }
  /// To be called when loading is done: Error{input} if a file was written to meanwhile.
  void check_unchanged() const {
    for (const Safetensors& file : files_) file.map().check_unchanged();
  }

 private:
  struct Place {
    const Safetensors* file = nullptr;
    const TensorEntry* entry = nullptr;
  };

  [[nodiscard]] static bool stands(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
  }

  void open_shards(const std::filesystem::path& path) {
    const nlohmann::json json = read_json(path);
    const Fields index(json, shown(path));
    const auto* weight_map = index.find("weight_map");
    if (weight_map == nullptr || !weight_map->is_object() || weight_map->empty()) {
      index.absent("weight_map", "must map tensor names to file names");
    }
    std::map<std::string, std::vector<std::string>> tensors_of;
    for (const auto& [name, file] : weight_map->items()) {
      if (!file.is_string()) index.wrong(printable(name), file, "must be a file name");
      tensors_of[file.get<std::string>()].push_back(name);
    }
    for (const auto& [name, tensors] : tensors_of) {
      open_shard(shown(path), name, tensors.size());
    }
    check_index(index, tensors_of);
  }

  void open_shard(const std::string& index, const std::string& name, std::size_t tensors) {
    const bool plain = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                       name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (!plain) fail(Fault::input, index + ": " + printable(name) + ": path escapes model folder");
    const auto path = folder_ / name;
    if (!stands(path)) {
      fail(Fault::input, index + ": shard " + printable(name) + " missing, named by index for " +
                             std::to_string(tensors) + " tensors");
    }
    RegularFile file(path);
    if (!is_inside(file)) {
      fail(Fault::input,
           index + ": " + printable(name) + ": path escapes model folder, it is a link");
    }
    files_.emplace_back(std::move(file));
  }

  /// Judges the file that is open, not the name that led to it. Links into the folder's own
  /// download cache are how the Hugging Face hub lays its snapshots out:
  /// models--X/snapshots/REVISION/file -> models--X/blobs/HASH.
  [[nodiscard]] bool is_inside(const RegularFile& file) const {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path real =
        fs::read_symlink("/proc/self/fd/" + std::to_string(file.descriptor()), error);
    if (error) return !fs::is_symlink(file.path());
    const fs::path home = fs::canonical(folder_, error);
    if (real.parent_path() == home) return true;
    const fs::path snapshots = home.parent_path();
    return snapshots.filename() == "snapshots" &&
           real.parent_path() == snapshots.parent_path() / "blobs";
  }

  /// Every tensor stands in exactly the file that the index names for it.
  void check_index(const Fields& index,
                   const std::map<std::string, std::vector<std::string>>& tensors_of) const {
    std::size_t bytes = 0;
    for (const Safetensors& file : files_) {
      const std::string shard = file.path().filename().native();
      const auto& listed = tensors_of.at(shard);
      for (const std::string& name : listed) {
        if (file.entry(name) != nullptr) continue;
        std::string found = "no shard holds it";
        for (const Safetensors& other : files_) {
          if (other.entry(name) != nullptr) found = "it is in " + shown(other.path().filename());
        }
        fail(Fault::input,
             index.where() + ": " + printable(name) + " listed in shard " + shard + ", " + found);
      }
      for (const TensorEntry& entry : file.entries()) {
        bytes += entry.bytes();
        // Sorted, because the JSON object that it came from is.
        if (!std::binary_search(listed.begin(), listed.end(), entry.name)) {
          fail(Fault::input, shown(file.path()) + ": holds " + printable(entry.name) +
                                 ", which the index does not list there");
        }
      }
    }
    const auto* metadata = index.find("metadata");
    if (metadata == nullptr) return;
    const Fields totals(*metadata, index.where() + ": metadata");
    if (!totals.has("total_size")) return;
    const double total = totals.number("total_size", {0, 9e18});  // some writers store a float
    if (total != static_cast<double>(bytes)) {
      totals.wrong("total_size", *totals.find("total_size"),
                   "the shards hold " + std::to_string(bytes) + " bytes of tensors");
    }
  }

  void enlist(const Safetensors& file) {
    for (const TensorEntry& entry : file.entries()) {
      const auto [place, added] =
          places_.try_emplace(canonical_name(entry.name), Place{&file, &entry});
      if (!added) {
        fail(Fault::input, shown(file.path()) + ": " + printable(entry.name) +
                               " stands twice, also as " + printable(place->second.entry->name));
      }
    }
  }

  [[noreturn]] void refuse_empty_folder() const {
    const std::string none =
        shown(folder_) + ": no model.safetensors and no model.safetensors.index.json";
    for (const auto* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
      if (stands(folder_ / pickle)) {
        fail(Fault::input, none + ", only " + pickle +
                               ": this is a PyTorch pickle; expected safetensors (convert with "
                               "Python's save_pretrained(folder, safe_serialization=True))");
      }
    }
    fail(Fault::input, none);
  }

  std::filesystem::path folder_;
  std::deque<Safetensors> files_;  // a deque: places_ points into it
  std::map<std::string, Place, std::less<>> places_;
};

static_assert(WeightSource<CheckpointWeights>);

}  // namespace stamp::checkpoint
