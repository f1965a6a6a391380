// SPDX-License-Identifier: Apache-2.0
// The judge of rough arithmetic, judged: what no computation may give is refused, whatever the
// distance that is allowed.
#include <gtest/gtest.h>

#include <functional>
#include <parity/no_farther.hpp>
#include <parity/random_weights.hpp>

namespace stamp::test {
namespace {

using Tensors = std::map<std::string, Recorded<double>>;

/// Two activations of an exported run, and where its tokens stand.
Tensors exported() {
  Tensors tensors;
  tensors["position_ids"] = {{3, 2}, {0, 1, 0, 1, 0, 1}};
  tensors["vision.merger"] = {{6, 8}, random_numbers(48, 1)};
  tensors["mask.0.logits"] = {{2, 3}, random_numbers(6, 2)};
  return tensors;
}

/// What PyTorch's bfloat16 is told to be apart.
constexpr double theirs = 0.01;

/// As far from `exported` as that: every number by the same share.
Tensors rounded(double times = 1) {
  Tensors tensors = exported();
  for (auto& [name, tensor] : tensors) {
    if (name == "position_ids") continue;
    for (double& value : tensor.values) value *= 1 + times * theirs;
  }
  return tensors;
}

std::vector<std::string> objections_to(const Tensors& found, double times = 1.1) {
  std::vector<ParityRow> rows;
  for (const auto& [name, expected] : exported()) {
    const auto ours = found.find(name);
    rows.push_back(
        compare(name, expected, ours == found.end() ? nullptr : &ours->second, Tolerance{}, 1));
  }
  Distances distances;
  distances.add("run", rows, {{"vision.merger", theirs}, {"mask.0.logits", theirs}});
  return distances.objections(times);
}

TEST(NoFarther, AcceptsWhatIsAsFarAsPyTorch) {
  EXPECT_EQ(objections_to(rounded()), std::vector<std::string>{});
  EXPECT_EQ(objections_to(exported()), std::vector<std::string>{});
  EXPECT_EQ(objections_to(rounded(1.2)).size(), 2U);
}

TEST(NoFarther, RefusesBrokenTensors) {
  const std::map<std::string, std::function<void(Tensors&)>> breaks{
      {"zeros", [](Tensors& found) { found["vision.merger"].values.assign(48, 0); }},
      {"not numbers", [](Tensors& found) { found["vision.merger"].values.assign(48, NAN); }},
      {"one infinity", [](Tensors& found) { found["vision.merger"].values[7] = INFINITY; }},
      {"another scale",
       [](Tensors& found) {
         for (double& value : found["vision.merger"].values) value *= 100;
       }},
      {"another sign",
       [](Tensors& found) {
         for (double& value : found["vision.merger"].values) value = -value;
       }},
      {"another shape", [](Tensors& found) { found["vision.merger"].shape = {8, 6}; }},
      {"fewer numbers", [](Tensors& found) { found["vision.merger"].values.pop_back(); }},
      {"none", [](Tensors& found) { found.erase("vision.merger"); }},
      {"other positions", [](Tensors& found) { found["position_ids"].values[5] = 2; }},
  };
  for (const auto& [what, corrupt] : breaks) {
    SCOPED_TRACE(what);
    Tensors found = rounded();
    corrupt(found);
    // The least of these distances is 100 times PyTorch's.
    for (const double times : {1.1, 50.0}) EXPECT_EQ(objections_to(found, times).size(), 1U);
  }
}

TEST(NoFarther, RefusesOtherNamesThanThoseThatPyTorchHas) {
  const std::vector<ParityRow> rows{{.name = "a", .distance = 0.01}, {.name = "b", .distance = 0}};
  const auto objections = [&](const nlohmann::json& distances_of_pytorch) {
    Distances distances;
    distances.add("run", rows, distances_of_pytorch);
    return distances.objections(1.1);
  };
  const double d = theirs;
  EXPECT_EQ(objections({{"a", d}, {"b", d}}), std::vector<std::string>{});
  EXPECT_EQ(objections({{"a", d}}), std::vector<std::string>{"run: b: nothing to compare with"});
  EXPECT_EQ(objections({{"a", d}, {"b", d}, {"c", d}}),
            std::vector<std::string>{"run: c: not computed"});
  EXPECT_EQ(objections(nlohmann::json::object()).size(), 4U) << "the run, a, b, and no tensor";
  EXPECT_EQ(objections({{"a", 0.0}, {"b", 0.0}}).size(), 1U) << "PyTorch is exact there";
  EXPECT_EQ(Distances().objections(1.1).size(), 1U);
}

TEST(NoFarther, MeasuresTheObjectsOfAllRunsTogether) {
  Distances distances;
  distances.add("one",
                std::vector<ParityRow>{{.name = "mask.0.norm", .distance = 0.013},
                                       {.name = "mask.12.norm", .distance = 0.005}},
                {{"mask.0.norm", 0.01}, {"mask.12.norm", 0.01}});
  distances.add("other", std::vector<ParityRow>{{.name = "mask.1.norm", .distance = 0.011}},
                {{"mask.1.norm", 0.01}});
  EXPECT_EQ(distances.objections(1.1), std::vector<std::string>{});
  ASSERT_EQ(distances.ratios().size(), 1U);
  EXPECT_NEAR(distances.ratios().at("mask.norm"), std::sqrt((1.69 + .25 + 1.21) / 3), 1e-12);
  EXPECT_EQ(computation_of("mask.layers.0"), "mask.layers.0");
  EXPECT_EQ(computation_of("mask.3"), "mask.3");
  EXPECT_EQ(computation_of("sam.pass.2.iou"), "sam.pass.iou");
  EXPECT_EQ(computation_of("sam.mask.0.prior"), "sam.mask.0.prior");
}

}  // namespace
}  // namespace stamp::test
