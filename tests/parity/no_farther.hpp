// SPDX-License-Identifier: Apache-2.0
// How far rough arithmetic may be from PyTorch's float32: no farther than PyTorch's own.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <span>
#include <stamp/checkpoint/json.hpp>
#include <stamp/session/parity.hpp>
#include <string>
#include <vector>

namespace stamp::test {

/// The computation that a tensor comes of: mask.0.norm and mask.1.norm are one, mask.norm, and so
/// are the passes of SAM.
[[nodiscard]] inline std::string computation_of(const std::string& tensor) {
  for (const std::string again : {"mask.", "sam.pass."}) {
    if (!tensor.starts_with(again)) continue;
    const auto rest = tensor.find_first_not_of("0123456789", again.size());
    if (rest == again.size() || rest == std::string::npos || tensor[rest] != '.') return tensor;
    return again + tensor.substr(rest + 1);
  }
  return tensor;
}

/// What a run is given and does not compute in its element type: exact in every one.
[[nodiscard]] inline bool is_given(std::string_view tensor) {
  return tensor.ends_with("position_ids") || tensor == "sam.pixel_values" || tensor == "sam.prior";
}

/// The rounding of one float.
inline constexpr double given_exactly = 1e-7;

/// Distances of activations from PyTorch's float32 run, ours beside those of PyTorch's bfloat16
/// run: relative L2, in the root mean square over all runs and objects that were added. A tensor of
/// one run has a few hundred numbers, and their distance varies by a tenth and more with no other
/// cause than the order of the sums.
class Distances {
 public:
  /// `theirs` tells PyTorch's distances by the names of the tensors: of all that are computed, of
  /// no other.
  void add(const std::string& run, std::span<const ParityRow> rows, const nlohmann::json& theirs) {
    std::set<std::string> left;
    for (const auto& entry : theirs.items()) left.insert(entry.key());
    if (left.empty()) faults_.push_back(run + ": nothing to compare with");
    for (const ParityRow& row : rows) {
      const auto object = [&](const std::string& what) {
        faults_.push_back(run + ": " + row.name + ": " + what);
      };
      const bool known = left.erase(row.name) == 1;
      if (row.found_shape != row.shape) {
        object("expected " + to_string(std::span(row.shape)) + ", found " +
               (row.found_shape.empty() ? "none" : to_string(std::span(row.found_shape))));
      } else if (!std::isfinite(row.distance)) {
        object("the distance is not finite");
      } else if (is_given(row.name)) {
        if (row.distance > given_exactly) object("expected what was given, found another");
      } else if (!known) {
        object("nothing to compare with");
      } else {
        const auto distance = theirs[row.name].get<double>();
        Squares& both = squares_[computation_of(row.name)];
        both.ours += row.distance * row.distance;
        both.theirs += distance * distance;
      }
    }
    for (const std::string& name : left) faults_.push_back(run + ": " + name + ": not computed");
  }

  /// Our distance over PyTorch's for each computation.
  [[nodiscard]] std::map<std::string, double> ratios() const {
    std::map<std::string, double> ratios;
    for (const auto& [name, both] : squares_) {
      ratios[name] = both.ours == 0 ? 0 : std::sqrt(both.ours / both.theirs);
    }
    return ratios;
  }

  /// What speaks against "at most `times` as far as PyTorch's bfloat16", a sentence each.
  [[nodiscard]] std::vector<std::string> objections(double times) const {
    std::vector<std::string> found = faults_;
    if (squares_.empty()) found.emplace_back("no tensor was compared");
    for (const auto& [name, ratio] : ratios()) {
      if (ratio <= times) continue;
      found.push_back(name + ": " + std::to_string(ratio) + " times as far as PyTorch's bfloat16");
    }
    return found;
  }
  /// The ratios into the report of the running test.
  void record() const {
    for (const auto& [name, ratio] : ratios()) {
      testing::Test::RecordProperty(name, std::to_string(ratio));
    }
  }

 private:
  struct Squares {
    double ours = 0;
    double theirs = 0;
  };
  std::map<std::string, Squares> squares_{};
  std::vector<std::string> faults_{};
};

}  // namespace stamp::test
