// SPDX-License-Identifier: Apache-2.0
// How many passes of the language model the masks of an answer take: one for several objects, as
// far as 2,048 mask tokens go. Counted on a backend that computes nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <stamp/observe/counting_engine.hpp>
#include <stamp/session/conversation.hpp>

namespace stamp::test {
namespace {

struct AskedMasks {
  std::size_t masks = 0;
  counting::Counts work;  ///< of the mask stage alone
};

/// An answer that names `objects` objects in a picture of side · side cells of 16 pixels.
AskedMasks ask(Index objects, std::uint32_t side) {
  const std::filesystem::path folder =
      std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens/models/tiny16";
  auto opened = checkpoint::open_checkpoint(folder, {}, checkpoint::MergeInto::stored_type);
  auto tokenizer = text::read_tokenizer(opened.tokenizer_folder);
  Model<counting::Engine> model(std::move(opened), std::make_unique<counting::Engine>(),
                                std::move(tokenizer));
  const Index pixels = Index{16 * 16} * side * side;
  std::string response;
  for (Index object = 0; object < objects; ++object) response += "<|seg|>";
  SegmentOptions options{.response = response, .min_pixels = pixels, .max_pixels = pixels};
  AskedMasks asked;
  options.progress = [&](const Progress& seen) {
    if (seen.stage != Stage::mask) return;
    if (seen.done == 0) model.engine().counts = {};
    asked.work = model.engine().counts;
  };
  const Image image{.width = 16 * side,
                    .height = 16 * side,
                    .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(3 * pixels))};
  const Answer answer = segment(model, image, "everything", options);
  EXPECT_EQ(answer.grid.patches(), Index{side} * side);
  asked.masks = answer.masks.size();
  return asked;
}

/// A pass reads every matrix once, whatever the number of objects in it.
double passes(Index objects, std::uint32_t side) {
  const AskedMasks one = ask(1, side);
  const AskedMasks asked = ask(objects, side);
  EXPECT_EQ(one.masks, 1U);
  EXPECT_EQ(asked.masks, static_cast<std::size_t>(objects));
  EXPECT_GT(one.work.weight_bytes, 0);
  EXPECT_DOUBLE_EQ(asked.work.products, static_cast<double>(objects) * one.work.products);
  return asked.work.weight_bytes / one.work.weight_bytes;
}

TEST(MaskPasses, OneForSeveralObjects) {
  EXPECT_EQ(passes(2, 16), 1);
  EXPECT_EQ(passes(8, 16), 1) << "2,048 mask tokens";
}

TEST(MaskPasses, MoreThan2048MaskTokensTakeMore) {
  EXPECT_EQ(passes(9, 16), 2);
  EXPECT_EQ(passes(17, 16), 3);
}

TEST(MaskPasses, APictureOfMoreCellsThanThatTakesOneAnObject) { EXPECT_EQ(passes(2, 46), 2); }

}  // namespace
}  // namespace stamp::test
