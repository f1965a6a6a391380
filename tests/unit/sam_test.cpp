// SPDX-License-Identifier: Apache-2.0
// What the goldens of SAM do not show: sizes at the edges, both kinds of mask prior, drawn points,
// refinements that cannot be made, the image encoded once for many questions, config.json.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stamp/checkpoint/sam_config.hpp>
#include <stamp/reference.hpp>
#include <stamp/session/sam_refiner.hpp>

namespace stamp {
namespace {

const std::filesystem::path goldens = std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";
using Engine = reference::Engine<float>;

Bitmap bitmap(Index width, Index height, std::uint8_t all) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height), all)};
}

template <class Act>
std::string error_of(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.fault())) + " " + error.what();
  }
  return "no error";
}

TEST(SamTransforms, LongestSideRoundsAsTheReleasedCode) {
  const auto size = [](Index width, Index height) {
    const Extent extent = sam::longest_side(width, height, 1024);
    return std::pair(extent.width, extent.height);
  };
  EXPECT_EQ(size(1024, 768), std::pair(Index{1024}, Index{768}));
  EXPECT_EQ(size(640, 427), std::pair(Index{1024}, Index{683}));  // 683.2
  EXPECT_EQ(size(500, 375), std::pair(Index{1024}, Index{768}));
  EXPECT_EQ(size(333, 1000), std::pair(Index{341}, Index{1024}));  // 340.992
  EXPECT_EQ(size(4000, 1), std::pair(Index{1024}, Index{1})) << "never a side without pixels";
}

TEST(SamTransforms, WindowsReachPastTheMapAndBack) {
  const sam::Windows windows{{5, 3}, 2};
  const auto cut = windows.partition();
  ASSERT_EQ(std::ssize(cut), 6 * 4);
  EXPECT_EQ((std::vector<std::int32_t>(cut.begin(), cut.begin() + 8)),
            (std::vector<std::int32_t>{0, 1, 3, 4, 2, 15, 5, 15}));
  EXPECT_TRUE(windows.padded() && !windows.whole());
  EXPECT_FALSE((sam::Windows{{4, 6}, 2}).padded());
  EXPECT_TRUE((sam::Windows{{4, 4}, 4}).whole());
  const auto back = windows.merge();
  for (std::size_t at = 0; at < back.size(); ++at) {
    EXPECT_EQ(cut[static_cast<std::size_t>(back[at])], static_cast<std::int32_t>(at));
  }
}

constexpr float inside = 6.906755F;  // ln(0.999/0.001)

TEST(MaskPrior, OfAMaskThatIsNotSquareHasForegroundPaddingAsReleasedOrNone) {
  const Bitmap mask = bitmap(200, 100, 0);  // resized to 256 x 128, the lower half is padding
  const auto released = sam::prior_logits(mask, 256, sam::MaskPrior::released);
  const auto clean = sam::prior_logits(mask, 256, sam::MaskPrior::clean);
  ASSERT_EQ(released.size(), 256U * 256U);
  EXPECT_NEAR(released[127 * 256 + 255], -inside, 1e-4);
  EXPECT_NEAR(released[128 * 256], inside, 1e-4) << "the padding, -1 in 8 bits";
  EXPECT_NEAR(clean[127 * 256 + 255], -inside, 1e-4);
  EXPECT_EQ(clean[128 * 256], 0.0F);
}

TEST(MaskPrior, OfAMaskOfThePromptsSizeIsFlatAsReleasedOrLikeAnyOther) {
  const Bitmap mask = bitmap(256, 256, 1);
  EXPECT_NEAR(sam::prior_logits(mask, 256, sam::MaskPrior::released)[0], -5.5373, 1e-4);
  EXPECT_NEAR(sam::prior_logits(mask, 256, sam::MaskPrior::clean)[0], inside, 1e-4);
}

TEST(SampledPoints, LieWhereTheirLabelsSayEachOnceAndFollowTheSeed) {
  Bitmap mask = bitmap(40, 30, 0);
  for (std::size_t at = 300; at < 330; ++at) mask.cells[at] = 1;
  const auto points = sam::sample_points(mask, 10, 3);
  ASSERT_EQ(points.size(), 20U);
  std::set<std::pair<Index, Index>> places;
  for (std::size_t at = 0; at < points.size(); ++at) {
    const auto& point = points[at];
    EXPECT_EQ(point.label, at < 10 ? sam::PointLabel::foreground : sam::PointLabel::background);
    const bool is_inside = mask.cells[static_cast<std::size_t>(point.y * 40 + point.x)] != 0;
    EXPECT_EQ(is_inside, at < 10);
    places.insert({point.x, point.y});
  }
  EXPECT_EQ(places.size(), 20U);
  EXPECT_EQ(points, sam::sample_points(mask, 10, 3));
  EXPECT_NE(points, sam::sample_points(mask, 10, 4));
  EXPECT_EQ(points.front(), (sam::SampledPoint{37, 7, sam::PointLabel::foreground}))
      << "the same on every machine";
}

TEST(SampledPoints, AreFewerWhereTheMaskHasFewer) {
  Bitmap mask = bitmap(5, 2, 1);
  EXPECT_EQ(sam::sample_points(mask, 20, 0).size(), 10U) << "a full mask has no background";
  mask.cells[3] = 0;
  const auto points = sam::sample_points(mask, 20, 0);
  EXPECT_EQ(points.size(), 10U);
  EXPECT_EQ(points.back(), (sam::SampledPoint{3, 0, sam::PointLabel::background}));
}

/// The tiny SAM of the goldens, and a predictor that has seen a picture.
struct TinySam {
  SamModel<Engine> model = load_sam<Engine>(goldens / "sam/model.safetensors", 1);
  Image image = read_image(goldens / "images-parity/wide.png");
  sam::Predictor<Engine> predictor{model.engine(), model.sam()};
  TinySam() { predictor.set_image(image); }
};

TEST(Cascade, LeavesAnEmptyMaskAloneAndSaysSo) {
  TinySam tiny;
  const Bitmap empty = bitmap(tiny.image.width, tiny.image.height, 0);
  const auto result = sam::cascade(tiny.predictor, empty);
  EXPECT_FALSE(result.refined);
  EXPECT_EQ(result.reason, "the coarse mask is empty");
  EXPECT_EQ(result.mask.cells, empty.cells);
  EXPECT_EQ(result.passes, 0);
}

TEST(Cascade, KeepsTheCoarseMaskWhenLogitsAreNotFinite) {
  TinySam tiny;
  const Bitmap full = bitmap(tiny.image.width, tiny.image.height, 1);
  const sam::Point nowhere{std::numeric_limits<float>::quiet_NaN(), 0};
  const auto result = sam::cascade_from(tiny.predictor, full, std::span(&nowhere, 1));
  EXPECT_FALSE(result.refined);
  EXPECT_EQ(result.reason, "SAM's logits are not finite in pass 0");
  EXPECT_EQ(result.mask.cells, full.cells);
}

TEST(Cascade, RefinesAFullMask) {
  TinySam tiny;
  const Bitmap full = bitmap(tiny.image.width, tiny.image.height, 1);
  const auto result = sam::cascade(tiny.predictor, full);
  EXPECT_TRUE(result.refined) << result.reason;
  EXPECT_EQ(result.passes, 3);
  EXPECT_EQ(result.mask.width, tiny.image.width);
  EXPECT_EQ(std::ssize(result.mask.cells), tiny.image.width * tiny.image.height);
}

TEST(Predictor, NamesWhatIsMissingOrDoesNotFit) {
  TinySam tiny;
  sam::Predictor<Engine> blind(tiny.model.engine(), tiny.model.sam());
  const sam::Prompt point{.points = {{1, 2}}};
  const auto predict = [](auto& predictor, const sam::Prompt& prompt) {
    (void)predictor.predict(prompt, sam::MaskChoice::single);
  };
  EXPECT_EQ(error_of([&] { predict(blind, point); }),
            "2 predict: expected an image, found none set");
  EXPECT_EQ(error_of([&] { predict(tiny.predictor, {}); }),
            "2 prompt: expected a point, a box or a mask, found none");
  EXPECT_EQ(error_of([&] { predict(tiny.predictor, {.mask_logits = std::vector<double>(12)}); }),
            "2 prompt: expected mask logits of 40 x 40, found 12 numbers");
  EXPECT_EQ(error_of([&] { (void)sam::cascade(tiny.predictor, bitmap(3, 2, 1)); }),
            "2 cascade: expected a mask of the image's 105 x 62 pixels, found 3 x 2");
}

TEST(Refiner, EncodesAnImageOnceForManyQuestions) {
  auto model = load<Engine>(goldens / "models/tied", {.threads = 1});
  auto sam_model = load_sam<Engine>(goldens / "sam/model.safetensors", 1);
  const Image image = read_image(goldens / "images-parity/wide.png");
  MaskRefiner refiner = sam_refiner(sam_model);
  int looks = 0;
  refiner.look = [&looks, look = refiner.look](const Image& shown) {
    ++looks;
    look(shown);
  };
  Conversation<Engine> conversation(model);
  conversation.refine_with(refiner);
  conversation.show(image);
  const SegmentOptions two{.response = "It is <|seg|> and <|seg|>.", .threshold = -1e6};
  const SegmentOptions none{.response = "Nothing matches."};
  EXPECT_TRUE(conversation.ask("What is shown?", none).masks.empty());
  EXPECT_EQ(looks, 0) << "no mask, no need of SAM";

  sam::Predictor<Engine> predictor(sam_model.engine(), sam_model.sam());
  predictor.set_image(image);
  for (int round = 0; round < 2; ++round) {
    const Answer answer = conversation.ask("the red mug", two);
    ASSERT_EQ(answer.masks.size(), 2U);
    for (const Mask& mask : answer.masks) {
      ASSERT_TRUE(mask.refined);
      const sam::CascadeOptions options{.seed = static_cast<std::uint64_t>(mask.index)};
      EXPECT_EQ(mask.refined->cells, sam::cascade(predictor, mask.picture, options).mask.cells);
    }
    EXPECT_GT(answer.timings.refine, 0);
  }
  EXPECT_EQ(looks, 1);
  conversation.show(image);
  (void)conversation.ask("the red mug", two);
  EXPECT_EQ(looks, 2);
}

TEST(Conversation, AQuestionThatFailsLeavesItAsItWas) {
  auto model = load<Engine>(goldens / "models/tied", {.threads = 1});
  const Image image = read_image(goldens / "images-parity/wide.png");
  const SegmentOptions options{.response = "It is <|seg|>"};
  const auto second_answer = [&](bool fail_between) {
    Conversation<Engine> conversation(model);
    conversation.show(image);
    (void)conversation.ask("the red mug", options);
    if (fail_between) {
      SegmentOptions stopped = options;
      stopped.progress = [](const Progress& progress) {
        if (progress.stage == Stage::mask) fail(Fault::usage, "enough");
      };
      EXPECT_THROW((void)conversation.ask("the blue cup", stopped), Error);
    }
    return conversation.ask("the green plate", options);
  };
  const Answer expected = second_answer(false);
  const Answer found = second_answer(true);
  EXPECT_EQ(found.input_ids, expected.input_ids);
  ASSERT_EQ(found.masks.size(), 1U);
  EXPECT_EQ(found.masks[0].logits, expected.masks[0].logits);
}

TEST(Refiner, LeavesAnEmptyMaskWithANote) {
  auto model = load<Engine>(goldens / "models/tied", {.threads = 1});
  Conversation<Engine> conversation(model);
  conversation.refine_with(
      {.look = [](const Image&) { FAIL() << "nothing to refine"; },
       .refine = [](const Bitmap& coarse, Index) { return RefinedMask{coarse, true, ""}; }});
  conversation.show(read_image(goldens / "images-parity/wide.png"));
  const Answer answer =
      conversation.ask("the mug", {.response = "It is <|seg|>", .threshold = 1e6});
  ASSERT_EQ(answer.masks.size(), 1U);
  EXPECT_FALSE(answer.masks[0].refined);
  ASSERT_FALSE(answer.notes.empty());
  EXPECT_EQ(answer.notes[0], "mask 0 stays as it was, not refined: the coarse mask is empty");
}

TEST(SamConfig, PublishedModelsHaveTheirParameters) {
  // The released files' own counts: vit_b, vit_l and vit_h.
  for (const auto& [width, parameters] :
       {std::pair<Index, Index>{768, 93'735'472}, {1024, 312'342'832}, {1280, 641'090'608}}) {
    const auto config = sam::published_config(width);
    ASSERT_TRUE(config);
    EXPECT_EQ(count_parameters(sam::Sam<Engine>(*config)), parameters + 256) << width;
  }
  EXPECT_FALSE(sam::published_config(512));
}

TEST(SamConfig, ReadsWhatTransformersWritesAndNamesWhatIsWrong) {
  const auto parse = [](const char* text) {
    return checkpoint::parse_sam_config(nlohmann::json::parse(text), "config.json");
  };
  const auto config = parse(R"({"model_type": "sam", "vision_config": {"hidden_size": 1280,
    "num_attention_heads": 16, "num_hidden_layers": 32, "mlp_dim": 5120,
    "global_attn_indexes": [7, 15, 23, 31]}})");
  EXPECT_EQ(count_parameters(sam::Sam<Engine>(config)),
            count_parameters(sam::Sam<Engine>(*sam::published_config(1280))));
  const auto wrong = [&](const char* text) { return error_of([&] { (void)parse(text); }); };
  EXPECT_EQ(wrong(R"({"model_type": "qwen2_vl"})"),
            "3 config.json: model_type \"qwen2_vl\": must be sam");
  EXPECT_EQ(wrong(R"({"vision_config": {"num_attention_heads": 7}})"),
            "3 config.json: vision_config: num_attention_heads 7: must divide hidden_size 768");
  EXPECT_EQ(wrong(R"({"vision_config": {"image_size": 100000}})"),
            "3 config.json: vision_config: image_size 100000: must be an integer from 1 to 4096");
  EXPECT_EQ(wrong(R"({"mask_decoder_config": {"hidden_size": 12}})").substr(0, 41),
            "3 config.json: mask_decoder_config: 8, th");
}

}  // namespace
}  // namespace stamp
