// SPDX-License-Identifier: Apache-2.0
// A mask policy of your own: a language model whose tokens see a window of the last ones only. No
// backend, no layer and no weight changes; the policy is a struct of a few lines, and the call of
// the model takes it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stamp/reference.hpp>
#include <vector>

struct SlidingWindow {
  stamp::Index window = 0;
  [[nodiscard]] constexpr stamp::Visible visible(stamp::Index query) const {
    return {{std::max<stamp::Index>(0, query + 1 - window), query + 1}, {}};
  }
};
static_assert(stamp::MaskPolicy<SlidingWindow>);

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: your_own_mask CHECKPOINT TEXT\n");
    return 2;
  }
  try {
    using namespace stamp;
    auto model = load<reference::Backend>(argv[1]);
    auto& engine = model.engine();
    const auto& language = model.stamp().model;
    const auto ids = model.tokenizer().encode(argv[2], text::SpecialTokens::as_text);
    const auto tokens = static_cast<Index>(ids.size());
    const auto positions = qwen2_vl::text_positions(0, tokens);

    // All layers over the text under a mask; what comes out for the last token.
    const auto last_state = [&](MaskPolicy auto mask) {
      const auto frame = engine.frame();
      auto cache = language.empty_cache();
      cache.reserve(engine, tokens);
      const auto x = language.embed_tokens(engine, ids);
      const auto at = qwen2_vl::text_rotary(engine, positions, model.config().text);
      language(engine, x, at, cache, Index{0}, mask);
      const auto last = language.norm(engine, rows(x, tokens - 1, 1));
      return std::vector<float>(last.data(), last.data() + last.size());
    };
    const auto causal = last_state(Causal{});
    for (Index window = 1; window < 2 * tokens; window *= 2) {
      const auto windowed = last_state(SlidingWindow{window});
      float largest = 0;
      for (std::size_t at = 0; at < causal.size(); ++at) {
        largest = std::max(largest, std::abs(windowed[at] - causal[at]));
      }
      std::printf("window %td of %td tokens: up to %.3f from the causal state\n", window, tokens,
                  static_cast<double>(largest));
    }
    return 0;
  } catch (const stamp::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
