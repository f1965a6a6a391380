// SPDX-License-Identifier: Apache-2.0
// requirement::HasAttend on every engine: six mask policies against plain loops that know no policy
// but the sentence it stands for.
#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class Attend : public Operation<B> {};
TYPED_TEST_SUITE(Attend, Engines, EngineName);

struct Shape {
  Index rows, keys, heads, kv_heads, dim;
};

/// softmax(scale·q·kᵀ)·v over the keys with sees(row, key); rows that see nothing are zero.
template <class Sees>
std::vector<double> plain_attend(const std::vector<double>& q, const std::vector<double>& k,
                                 const std::vector<double>& v, const Shape& s, double scale,
                                 const Sees& sees) {
  const auto query = [&](Index row, Index head, Index d) {
    return q[static_cast<std::size_t>((row * s.heads + head) * s.dim + d)];
  };
  const auto cached = [&](const std::vector<double>& from, Index key, Index head, Index d) {
    return from[static_cast<std::size_t>((key * s.kv_heads + head) * s.dim + d)];
  };
  std::vector<double> y;
  for (Index row = 0; row < s.rows; ++row) {
    for (Index head = 0; head < s.heads; ++head) {
      const Index group = head / (s.heads / s.kv_heads);
      std::vector<double> weight(static_cast<std::size_t>(s.keys), 0.0);
      double sum = 0;
      for (Index key = 0; key < s.keys; ++key) {
        if (!sees(row, key)) continue;
        double dot = 0;
        for (Index d = 0; d < s.dim; ++d) dot += query(row, head, d) * cached(k, key, group, d);
        sum += weight[static_cast<std::size_t>(key)] = std::exp(scale * dot);
      }
      for (Index d = 0; d < s.dim; ++d) {
        double mixed = 0;
        for (Index key = 0; key < s.keys; ++key) {
          const double w = weight[static_cast<std::size_t>(key)];
          if (w > 0) mixed += w / sum * cached(v, key, group, d);
        }
        y.push_back(mixed);
      }
    }
  }
  return y;
}

/// The operands of one call; keys and values lie in column slices, as after a fused product.
template <Backend B>
struct Call {
  Shape s;
  Operand<B, Tokens, Queries> y, query;
  Operand<B, Keys, KeyValues> key, value;

  Call(B& engine, const Shape& shape, Index margin)
      : s(shape),
        y(engine, Tokens{s.rows}, Queries{s.heads * s.dim}, 1, margin),
        query(engine, Tokens{s.rows}, Queries{s.heads * s.dim}, 2, margin),
        key(engine, Keys{s.keys}, KeyValues{s.kv_heads * s.dim}, 3, margin),
        value(engine, Keys{s.keys}, KeyValues{s.kv_heads * s.dim}, 4, margin) {}

  template <MaskPolicy Mask>
  void run(B& engine, double scale, Mask mask) {
    attend(engine, split(y.view(), Heads{s.heads}, HeadDim{s.dim}),
           split(query.input(), Heads{s.heads}, HeadDim{s.dim}),
           split(key.input(), KvHeads{s.kv_heads}, HeadDim{s.dim}),
           split(value.input(), KvHeads{s.kv_heads}, HeadDim{s.dim}), scale, mask);
  }

  template <MaskPolicy Mask, class Sees>
  void expect(B& engine, Mask mask, const Sees& sees, const std::string& what) {
    const double scale = 1.5 / std::sqrt(static_cast<double>(s.dim));
    run(engine, scale, mask);
    expect_close<typename B::Element>(
        plain_attend(query.values(), key.values(), value.values(), s, scale, sees), y.found(),
        what + ", rows " + std::to_string(s.rows) + ", keys " + std::to_string(s.keys) +
            ", heads " + std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " of " +
            std::to_string(s.dim),
        attend_tolerance<B>());
  }
};

/// int32 numbers in the engine's memory.
template <Backend B>
const std::int32_t* resident(B& engine, const std::vector<std::int32_t>& numbers) {
  const auto view =
      engine.template allocate<std::int32_t>(Tokens{static_cast<Index>(numbers.size())});
  engine.upload(view, std::span<const std::int32_t>(numbers));
  return view.data();
}

TYPED_TEST(Attend, CausalOverEveryHeadLayout) {
  for (const Index ratio : {1, 2, 3, 7}) {
    for (const Index dim : {16, 24, 64, 80, 128, 144, 272}) {
      const auto frame = this->backend.frame();
      const Index kv_heads = ratio == 1 ? 3 : 2;
      Call<TypeParam> call(this->backend, {5, 11, ratio * kv_heads, kv_heads, dim}, ratio - 1);
      call.expect(
          this->backend, Causal{6}, [](Index row, Index key) { return key <= row + 6; }, "Causal");
    }
  }
}

TYPED_TEST(Attend, CausalAndBidirectionalOverOddLengths) {
  for (const Shape& s : {Shape{1, 1, 1, 1, 16}, Shape{0, 0, 2, 1, 16}, Shape{0, 3, 2, 1, 16},
                         Shape{63, 63, 2, 1, 16}, Shape{64, 64, 1, 1, 16}, Shape{67, 131, 2, 2, 8},
                         Shape{130, 137, 2, 1, 4}, Shape{7, 1100, 4, 2, 16},
                         Shape{16, 600, 2, 1, 8}, Shape{4, 1100, 3, 1, 64}}) {
    const auto frame = this->backend.frame();
    Call<TypeParam> call(this->backend, s, 0);
    const Index history = s.keys - s.rows;
    call.expect(
        this->backend, Causal{history}, [&](Index row, Index key) { return key <= row + history; },
        "Causal");
    call.expect(
        this->backend, Bidirectional{s.keys}, [](Index, Index) { return true; }, "Bidirectional");
  }
}

TYPED_TEST(Attend, ManyKeysOfThePublishedHeadSizes) {
  for (const Shape& s : {Shape{70, 200, 6, 1, 128}, Shape{130, 130, 2, 2, 80},
                         Shape{1, 300, 14, 2, 128}, Shape{33, 150, 2, 2, 96}}) {
    const auto frame = this->backend.frame();
    Call<TypeParam> call(this->backend, s, 0);
    const Index history = s.keys - s.rows;
    call.expect(
        this->backend, Causal{history}, [&](Index row, Index key) { return key <= row + history; },
        "Causal");
    call.expect(
        this->backend, MaskRows{history / 2, history, s.rows},
        [&](Index, Index key) { return key < history / 2 || key >= history; }, "MaskRows");
  }
}

TYPED_TEST(Attend, BlockDiagonalOverSeveralImagesOneOfThemEmpty) {
  const auto frame = this->backend.frame();
  const std::vector<std::vector<std::int32_t>> divisions{
      {0, 9}, {0, 1, 2, 3}, {0, 7, 7, 30, 71}, {0, 64, 65, 130}, {0, 0, 5}};
  for (const auto& boundaries : divisions) {
    const Index length = boundaries.back();
    Call<TypeParam> call(this->backend, {length, length, 3, 3, 20}, 2);
    const auto image_of = [&](Index patch) {
      std::size_t image = 0;
      while (boundaries[image + 1] <= patch) ++image;
      return image;
    };
    call.expect(
        this->backend,
        BlockDiagonal{resident(this->backend, boundaries),
                      static_cast<Index>(boundaries.size()) - 1},
        [&](Index row, Index key) { return image_of(row) == image_of(key); }, "BlockDiagonal");
  }
}

TYPED_TEST(Attend, HybridMaskSeesWhatThePaperSays) {
  for (const auto& [history, masks] : {std::pair<Index, Index>{1, 1}, {13, 6}, {40, 63}, {5, 0}}) {
    const auto frame = this->backend.frame();
    const Index length = history + masks;
    Call<TypeParam> call(this->backend, {length, length, 6, 2, 16}, 0);
    const Index first_mask = history;
    call.expect(
        this->backend, HybridMask{history, masks},
        [&](Index row, Index key) { return key <= row || row >= first_mask; }, "HybridMask");
  }
}

TYPED_TEST(Attend, MaskRowsAndMaskBlocksOverRandomIntervals) {
  std::mt19937_64 random(11);
  const auto draw = [&](Index below) {
    return static_cast<Index>(random() % static_cast<std::uint64_t>(below));
  };
  for (int round = 0; round < 12; ++round) {
    const auto frame = this->backend.frame();
    const Index dialogue = 1 + draw(40);
    const Index masks = 1 + draw(30);
    const Index objects = 1 + draw(4);
    const Index history = draw(dialogue + 1);

    Call<TypeParam> one(this->backend, {masks, dialogue + masks, 3, 1, 16}, 1);
    one.expect(
        this->backend, MaskRows{history, dialogue, masks},
        [&](Index, Index key) { return key < history || key >= dialogue; }, "MaskRows");

    std::vector<std::int32_t> histories;
    for (Index at = 0; at < objects; ++at) {
      histories.push_back(static_cast<std::int32_t>(draw(dialogue + 1)));
    }
    Call<TypeParam> all(this->backend, {objects * masks, dialogue + objects * masks, 4, 2, 16}, 0);
    all.expect(
        this->backend, MaskBlocks{resident(this->backend, histories), dialogue, masks},
        [&](Index row, Index key) {
          if (key < dialogue) return key < histories[static_cast<std::size_t>(row / masks)];
          return (key - dialogue) / masks == row / masks;
        },
        "MaskBlocks");
  }
}

TYPED_TEST(Attend, RowsThatSeeNoKeyAreZeroAndUnseenKeysDoNotMatter) {
  const auto frame = this->backend.frame();
  Call<TypeParam> call(this->backend, {3, 9, 2, 1, 16}, 0);
  call.run(this->backend, 1.0, MaskRows{0, 4, 0});
  for (const double value : call.y.found()) EXPECT_EQ(value, 0.0);

  call.run(this->backend, 1.0, MaskRows{2, 5, 2});
  const auto before = call.y.found();
  const auto garbage = [](Index key, Index, double old) {
    return key < 2 || key == 5 || key == 6 ? old : 3e4;
  };
  call.key.change(garbage);
  call.value.change(garbage);
  call.run(this->backend, 1.0, MaskRows{2, 5, 2});
  EXPECT_EQ(before, call.y.found());
}

TYPED_TEST(Attend, LargeScoresDoNotOverflow) {
  const auto frame = this->backend.frame();
  Call<TypeParam> call(this->backend, {4, 4, 1, 1, 16}, 0);
  call.run(this->backend, 3e4, Bidirectional{4});
  for (const double value : call.y.found()) EXPECT_TRUE(std::isfinite(value));
}

TYPED_TEST(Attend, ScoresThatRiseFromBlockToBlock) {
  // Maxima move by little and by much while keys stream past, and the largest are not the last.
  // Quarters times powers of two are the same numbers in every type.
  for (const Shape& s : {Shape{9, 1800, 2, 1, 64}, Shape{2, 1800, 2, 1, 64}}) {
    const auto frame = this->backend.frame();
    Call<TypeParam> call(this->backend, s, 0);
    const auto quarters = [](Index, Index, double old) { return std::round(4 * old) / 4; };
    call.query.change(quarters);
    call.key.change([&](Index key, Index at, double old) {
      return std::ldexp(quarters(key, at, old), key < 1500 ? static_cast<int>(key / 200) - 2 : 0);
    });
    call.expect(this->backend, Bidirectional{s.keys}, [](Index, Index) { return true; }, "rising");
  }
}

TYPED_TEST(Attend, NamesWhatDoesNotFit) {
  auto& engine = this->backend;
  using T = typename TypeParam::Element;
  const auto y = engine.template allocate<T>(Tokens{2}, Heads{4}, HeadDim{8});
  const auto longer = engine.template allocate<T>(Tokens{3}, Heads{4}, HeadDim{8});
  const auto key = engine.template allocate<T>(Keys{5}, KvHeads{2}, HeadDim{8});
  const auto fewer = engine.template allocate<T>(Keys{4}, KvHeads{2}, HeadDim{8});
  const auto narrower = engine.template allocate<T>(Keys{5}, KvHeads{2}, HeadDim{6});
  const auto three = engine.template allocate<T>(Keys{5}, KvHeads{3}, HeadDim{8});
  using Query = View<const T, Tokens, Heads, HeadDim>;
  using Key = View<const T, Keys, KvHeads, HeadDim>;
  const auto call = [&](Query query, Key k, Key v, Index history = 3) {
    return usage_error([&] { attend(engine, y, query, k, v, 1.0, Causal{history}); });
  };
  EXPECT_EQ(call(longer, key, key),
            "attend query: expected (Tokens 2, Heads 4, HeadDim 8), found (Tokens 3, Heads 4, "
            "HeadDim 8)");
  EXPECT_EQ(call(y, key, fewer),
            "attend value: expected (Keys 5, KvHeads 2, HeadDim 8), found (Keys 4, KvHeads 2, "
            "HeadDim 8)");
  EXPECT_EQ(call(y, narrower, narrower), "attend key: expected HeadDim 8, found HeadDim 6");
  EXPECT_EQ(call(y, three, three),
            "attend: expected Heads to divide by KvHeads, found (Tokens 2, Heads 4, HeadDim 8) "
            "and (Keys 5, KvHeads 3, HeadDim 8)");
  EXPECT_EQ(call(y, key, key, 4), "attend: row 1 sees keys up to 6, expected at most Keys 5");
}

}  // namespace
}  // namespace stamp::test
