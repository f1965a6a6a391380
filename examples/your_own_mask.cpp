// SPDX-License-Identifier: Apache-2.0
// A mask policy of your own: attention that sees a window of the last tokens only. No backend
// and no layer changes; the policy is a struct of a few lines.
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <stamp/reference/engine.hpp>

struct SlidingWindow {
  stamp::Index window = 0;
  [[nodiscard]] constexpr stamp::Visible visible(stamp::Index query) const {
    const stamp::Index begin = query + 1 > window ? query + 1 - window : 0;
    return {{begin, query + 1}, {}};
  }
};
static_assert(stamp::MaskPolicy<SlidingWindow>);

int main() {
  using namespace stamp;
  reference::Engine<float> engine(1);
  const auto frame = engine.frame();
  const Index tokens = 6;
  auto query = engine.allocate<float>(Tokens{tokens}, Heads{1}, HeadDim{2});
  auto key = engine.allocate<float>(Keys{tokens}, KvHeads{1}, HeadDim{2});
  auto value = engine.allocate<float>(Keys{tokens}, KvHeads{1}, HeadDim{2});
  auto result = engine.allocate<float>(Tokens{tokens}, Heads{1}, HeadDim{2});
  std::fill_n(query.data(), query.size(), 0.0F);  // equal scores: attention becomes a mean
  std::fill_n(key.data(), key.size(), 0.0F);
  std::iota(value.data(), value.data() + value.size(), 0.0F);

  for (const Index window : {Index{1}, Index{2}, tokens}) {
    attend(engine, result, query, View<const float, Keys, KvHeads, HeadDim>(key),
           View<const float, Keys, KvHeads, HeadDim>(value), 1.0, SlidingWindow{window});
    std::printf("window %td: token 5 sees a mean of %.1f\n", window,
                static_cast<double>(result[5][0][0]));
  }
  return 0;
}
