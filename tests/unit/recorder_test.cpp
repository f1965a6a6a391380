// SPDX-License-Identifier: Apache-2.0
// Taps: names, shapes, prefixes, and the sentence about a number that is not finite.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stamp/observe/recorder.hpp>
#include <stamp/reference/engine.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<float>;
static_assert(Tap<NoTap, Engine> && Tap<Recorder<float>, Engine>);
static_assert(std::is_empty_v<NoTap>);

class Taps : public ::testing::Test {
 protected:
  Engine engine{1};
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  View<float, Tokens, Hidden> view{numbers.data(), Tokens{3}, Hidden{2}};
};

TEST_F(Taps, RecordsNamesShapesAndNumbers) {
  Recording<float> recording;
  const Recorder<float> recorder(&recording);
  recorder.record(engine, "embeddings", view);
  recorder.within("vision").record(engine, "blocks", 3, view);
  recorder.within("masks").within("language").record(engine, "norm", view);
  ASSERT_EQ(recording.size(), 3U);
  EXPECT_EQ(recording.at("embeddings").shape, (std::vector<Index>{3, 2}));
  EXPECT_EQ(recording.at("vision.blocks.3").values, numbers);
  EXPECT_TRUE(recording.contains("masks.language.norm"));
}

TEST_F(Taps, TheFirstNumberThatIsNotFiniteIsNamed) {
  const Recorder<float> watch;
  watch.record(engine, "fine", view);
  numbers[3] = std::nanf("");
  numbers[5] = std::numeric_limits<float>::infinity();
  try {
    watch.within("language").record(engine, "layers", 2, view);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::failure);
    EXPECT_STREQ(error.what(),
                 "non-finite after language.layers.2: 2 of 6 values, first at index 3");
  }
}

TEST_F(Taps, ListeningToNothingCostsNothing) {
  numbers[0] = std::nanf("");
  NoTap::within("anything").record(engine, "x", 1, view);
  NoTap{}.record(engine, "x", view);
}

}  // namespace
