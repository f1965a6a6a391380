// SPDX-License-Identifier: Apache-2.0
// The golden runs (tests/goldens/README.md), and how far an engine is from all of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <parity/no_farther.hpp>
#include <stamp/session/exported_run.hpp>
#include <stamp/session/model.hpp>
#include <string>
#include <vector>

namespace stamp::test {

inline const std::filesystem::path goldens =
    std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";

/// The committed activations, or those that PyTorch has just written (STAMP_FRESH_ACTIVATIONS).
[[nodiscard]] inline std::filesystem::path activations_of(const std::string& file) {
  const char* fresh = std::getenv("STAMP_FRESH_ACTIVATIONS");
  return fresh == nullptr ? goldens / file
                          : std::filesystem::path(fresh) / std::filesystem::path(file).filename();
}

struct GoldenCase {
  std::string name;
  std::filesystem::path model;
  std::filesystem::path activations;
  bool in_double = false;
};

[[nodiscard]] inline std::vector<GoldenCase> cases() {
  std::vector<GoldenCase> list;
  const auto json = checkpoint::read_json(goldens / "cases.json");
  for (const auto& entry : json["cases"]) {
    const std::string name = entry["name"];
    const std::string model = entry["model"];
    list.push_back({name, goldens / model, activations_of(entry["activations"])});
    if (entry["activations_float64"].is_string()) {
      list.push_back(
          {name + "-float64", goldens / model, activations_of(entry["activations_float64"]), true});
    }
  }
  return list;
}

/// The float runs.
[[nodiscard]] inline std::vector<GoldenCase> float_cases() {
  auto list = cases();
  std::erase_if(list, [](const GoldenCase& golden) { return golden.in_double; });
  return list;
}

/// Of all float goldens together, ours beside those of PyTorch's bfloat16
/// (reference/pytorch/bf16_distances.py): at most `times` as far from its float32 runs.
template <class B, class... EngineArguments>
void expect_no_farther(double times, EngineArguments... arguments) {
  const auto theirs = checkpoint::read_json(goldens / "bf16_distances.json");
  Distances distances;
  for (const GoldenCase& golden : float_cases()) {
    const auto run = read_exported_run(golden.activations);
    auto model = load<B>(golden.model, {}, arguments...);
    const auto recording = replay(model.engine(), model.stamp(), run.input);
    distances.add(golden.name,
                  compare_run(run, recording, model.config(), tolerance_of(ElementType::bfloat16)),
                  theirs[golden.name]);
  }
  EXPECT_EQ(distances.objections(times), std::vector<std::string>{});
  distances.record();
}

}  // namespace stamp::test
