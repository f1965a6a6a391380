// SPDX-License-Identifier: Apache-2.0
// What the fast CPU backend promises beyond the list of operations: products that round exactly
// where it says, fused steps, the same bits with any number of threads, errors of its own.
#include "engines.hpp"

namespace stamp::test {
namespace {

using cpu::Compute;
using cpu::Isa;

bool wide() { return cpu::best_isa() >= Isa::avx512; }

using Numbers = std::vector<double>;

/// Rows of x as the product reads them.
Numbers as_bf16(Numbers x) {
  for (double& value : x) value = rounded<bfloat16>(value);
  return x;
}
/// Each whole block of 64 numbers of a row times the Hadamard matrix over 8, in floats: a sum and a
/// difference for each bit of a number's place.
Numbers spread(Numbers x, Index columns) {
  const auto length = static_cast<std::size_t>(columns);
  for (std::size_t row = 0; row < x.size(); row += length) {
    for (std::size_t block = 0; block + 64 <= length; block += 64) {
      double* const v = x.data() + row + block;
      for (std::size_t bit = 1; bit < 64; bit *= 2) {
        for (std::size_t at = 0; at < 64; ++at) {
          if ((at & bit) != 0) continue;
          const auto a = static_cast<float>(v[at]);
          const auto b = static_cast<float>(v[at + bit]);
          v[at] = a + b;
          v[at + bit] = a - b;
        }
      }
      for (std::size_t at = 0; at < 64; ++at) v[at] /= 8;
    }
  }
  return x;
}
/// Each row, spread, to whole multiples of its largest number / 127, as weights are.
Numbers as_int8(Numbers x, Index columns) {
  x = spread(std::move(x), columns);
  for (std::size_t row = 0; row < x.size(); row += static_cast<std::size_t>(columns)) {
    float most = 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(columns); ++at) {
      most = std::max(most, std::abs(static_cast<float>(x[row + at])));
    }
    const float scale = most / 127;
    const float inverse = 1 / scale;
    for (std::size_t at = 0; at < static_cast<std::size_t>(columns); ++at) {
      x[row + at] = std::nearbyint(static_cast<float>(x[row + at]) * inverse) * scale;
    }
  }
  return x;
}

/// Each row, spread, to whole multiples of its range / 255, as activations are.
Numbers as_uint8(Numbers x, Index columns) {
  x = spread(std::move(x), columns);
  for (std::size_t row = 0; row < x.size(); row += static_cast<std::size_t>(columns)) {
    float least = 0;
    float most = 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(columns); ++at) {
      least = std::min(least, static_cast<float>(x[row + at]));
      most = std::max(most, static_cast<float>(x[row + at]));
    }
    const float scale = (most - least) / 255;
    const float inverse = 1 / scale;
    const float zero = std::nearbyint(-least * inverse);
    for (std::size_t at = 0; at < static_cast<std::size_t>(columns); ++at) {
      const float byte = zero + std::nearbyint(static_cast<float>(x[row + at]) * inverse);
      x[row + at] = (std::min(byte, 255.0F) - zero) * scale;
    }
  }
  return x;
}

Numbers product(const Numbers& x, const Numbers& w, Index rows, Index in, Index out) {
  Numbers y;
  for (Index row = 0; row < rows; ++row) {
    for (Index o = 0; o < out; ++o) {
      double sum = 0;
      for (Index i = 0; i < in; ++i) {
        sum += x[static_cast<std::size_t>(row * in + i)] * w[static_cast<std::size_t>(o * in + i)];
      }
      y.push_back(sum);
    }
  }
  return y;
}

struct Shape {
  Index rows, in, out;
};
/// Few rows and many, tails in every direction, more than one chunk of words (2048 pairs).
constexpr Shape shapes[] = {{1, 64, 64},  {3, 37, 70},  {4, 130, 16},  {5, 64, 129},
                            {7, 33, 200}, {97, 96, 65}, {200, 40, 31}, {9, 4200, 64}};

class Products : public ::testing::TestWithParam<Compute> {};

TEST_P(Products, RoundWeightsAndRowsAndNothingElse) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  const Compute compute = GetParam();
  cpu::Engine engine(2, compute);
  for (const auto& [rows, in, out] : shapes) {
    const auto frame = engine.frame();
    const StoredWeight weight(ElementType::float32, {out, in}, 1);
    const auto w = engine.matrix(weight.stored(), Ffn{out}, Hidden{in});
    Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{in}, 3);
    x.change([](Index row, Index, double old) {  // rows of one sign, too
      return row % 3 == 0 ? old : row % 3 == 1 ? std::abs(old) : -std::abs(old);
    });
    const Operand<cpu::Engine, Tokens, Ffn> y(engine, Tokens{rows}, Ffn{out}, 4, 1);
    matmul(engine, y.view(), x.input(), w);
    const bool rounds_rows = compute == Compute::int8 || rows > 4;
    const Numbers expected =
        compute == Compute::bf16
            ? product(rounds_rows ? as_bf16(x.values()) : x.values(), as_bf16(weight.values()),
                      rows, in, out)
            : product(as_uint8(x.values(), in), as_int8(weight.values(), in), rows, in, out);
    const auto found = y.found();
    for (std::size_t at = 0; at < expected.size(); ++at) {
      // float sums of up to 4,200 terms of order one
      ASSERT_NEAR(expected[at], found[at], 2e-5 * std::sqrt(static_cast<double>(in)))
          << rows << " x " << in << " to " << out << ", number " << at;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Types, Products, ::testing::Values(Compute::bf16, Compute::int8),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

/// Causal attention of the last `rows` of `keys` tokens with one head: softmax(q·k/√dim)·v.
Numbers causal_attention(const Numbers& q, const Numbers& k, const Numbers& v, Index rows,
                         Index keys, Index dim) {
  Numbers y;
  const auto cell = [&](const Numbers& of, Index row, Index d) {
    return of[static_cast<std::size_t>(row * dim + d)];
  };
  for (Index row = 0; row < rows; ++row) {
    Numbers weights;
    double sum = 0;
    for (Index key = 0; key <= keys - rows + row; ++key) {
      double score = 0;
      for (Index d = 0; d < dim; ++d) score += cell(q, row, d) * cell(k, key, d);
      weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
      sum += weights.back();
    }
    for (Index d = 0; d < dim; ++d) {
      double mixed = 0;
      for (std::size_t key = 0; key < weights.size(); ++key) {
        mixed += weights[key] / sum * cell(v, static_cast<Index>(key), d);
      }
      y.push_back(mixed);
    }
  }
  return y;
}

class Attention : public ::testing::TestWithParam<Compute> {};

TEST_P(Attention, RoundsQueriesKeysAndValuesAndLittleElse) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  const Compute compute = GetParam();
  cpu::Engine engine(2, compute);
  for (const Index dim : {64, 80, 94, 128}) {
    constexpr Index rows = 103;
    constexpr Index keys = 611;
    const auto frame = engine.frame();
    const Operand<cpu::Engine, Tokens, HeadDim> y(engine, Tokens{rows}, HeadDim{dim}, 1, 2);
    Operand<cpu::Engine, Tokens, HeadDim> query(engine, Tokens{rows}, HeadDim{dim}, 2, 1);
    Operand<cpu::Engine, Keys, HeadDim> key(engine, Keys{keys}, HeadDim{dim}, 3, 1);
    const Operand<cpu::Engine, Keys, HeadDim> value(engine, Keys{keys}, HeadDim{dim}, 4, 1);
    // A channel that stands out, tokens of different sizes.
    const auto uneven = [](Index row, Index d, double old) {
      return old * (d == 5 ? 8 : 1) * (1 + static_cast<double>(row % 7) / 4);
    };
    query.change(uneven);
    key.change(uneven);
    attend(engine, split(y.view(), Heads{1}, HeadDim{dim}),
           split(query.input(), Heads{1}, HeadDim{dim}),
           split(key.input(), KvHeads{1}, HeadDim{dim}),
           split(value.input(), KvHeads{1}, HeadDim{dim}), 1 / std::sqrt(static_cast<double>(dim)),
           Causal{keys - rows});
    const auto round = [&](const Numbers& x) {
      return compute == Compute::int8 ? as_int8(x, dim) : as_bf16(x);
    };
    const Numbers expected = causal_attention(round(query.values()), round(key.values()),
                                              as_bf16(value.values()), rows, keys, dim);
    const auto found = y.found();
    for (std::size_t at = 0; at < expected.size(); ++at) {
      // Weights are rounded to bfloat16, whose half step is 2^-9 of them; values are of order one.
      ASSERT_NEAR(expected[at], found[at], 3e-3) << "head of " << dim << ", number " << at;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Types, Attention, ::testing::Values(Compute::bf16, Compute::int8),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

TEST(Bytes, ARowThatIsNotFiniteGivesNoNumbers) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  cpu::Engine engine(1, Compute::int8);
  const StoredWeight weight(ElementType::float32, {Index{64}, Index{70}}, 1);
  const auto w = engine.matrix(weight.stored(), Ffn{64}, Hidden{70});
  for (const double fault : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{3}, Hidden{70}, 3);
    x.change([&](Index row, Index column, double old) {
      return row == 1 && column == 40 ? fault : old;
    });
    const Operand<cpu::Engine, Tokens, Ffn> y(engine, Tokens{3}, Ffn{64}, 4);
    matmul(engine, y.view(), x.input(), w);
    const auto found = y.found();
    for (std::size_t at = 0; at < found.size(); ++at) {
      EXPECT_EQ(std::isnan(found[at]), at / 64 == 1) << fault << ", number " << at;
    }
  }
}

TEST_P(Attention, ShowsNumbersThatAreNotFinite) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  cpu::Engine engine(1, GetParam());
  // The 70th of 80 numbers: spreading leaves it alone.
  for (const double fault : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    for (const Index rows : {7, 2}) {  // a tile of queries, and few
      const auto frame = engine.frame();
      const Operand<cpu::Engine, Tokens, HeadDim> y(engine, Tokens{rows}, HeadDim{80}, 1);
      Operand<cpu::Engine, Tokens, HeadDim> query(engine, Tokens{rows}, HeadDim{80}, 2);
      Operand<cpu::Engine, Keys, HeadDim> key(engine, Keys{9}, HeadDim{80}, 3);
      const Operand<cpu::Engine, Keys, HeadDim> value(engine, Keys{9}, HeadDim{80}, 4);
      const auto run = [&] {
        attend(engine, split(y.view(), Heads{1}, HeadDim{80}),
               split(query.input(), Heads{1}, HeadDim{80}),
               split(key.input(), KvHeads{1}, HeadDim{80}),
               split(value.input(), KvHeads{1}, HeadDim{80}), 0.125, Causal{9 - rows});
        return y.found();
      };
      const auto put = [&](double number) {
        return
            [number](Index row, Index d, double old) { return row == 1 && d == 70 ? number : old; };
      };
      query.change(put(fault));
      const auto of_query = run();
      query.change(put(1));
      for (std::size_t at = 0; at < of_query.size(); ++at) {
        EXPECT_EQ(std::isnan(of_query[at]), at / 80 == 1) << fault << ", number " << at;
      }
      key.change([&](Index row, Index d, double old) {
        return row == 9 - rows + 1 && d == 70 ? fault : old;
      });
      const auto of_key = run();
      for (std::size_t at = 0; at < of_key.size(); ++at) {
        // An infinite score may be the smallest.
        const bool shows = std::isnan(of_key[at]);
        EXPECT_TRUE(at / 80 >= 1 || !shows) << fault << ", number " << at;
        EXPECT_TRUE(at / 80 < 1 || shows || std::isinf(fault)) << fault << ", number " << at;
      }
    }
  }
}

TEST(Bytes, TheFirstBlockTheFirstLayerAndTheMergerKeepBfloat16) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  const StoredWeight weight(ElementType::bfloat16, {Index{64}, Index{70}}, 1);
  const auto kept_in = [&](Compute compute, const char* leaf) {
    cpu::Engine engine(1, compute);
    engine.binding(leaf);
    return engine.matrix(weight.stored(), Ffn{64}, Hidden{70}).panels.type;
  };
  for (const char* leaf :
       {"model.layers.0.mlp.down_proj", "visual.blocks.0.attn.qkv", "visual.merger.mlp.2",
        "layers.0.self_attn.q_proj", "visual.patch_embed"}) {
    EXPECT_EQ(kept_in(Compute::int8, leaf), Compute::bf16) << leaf;
    EXPECT_EQ(kept_in(Compute::fp32, leaf), Compute::fp32) << leaf;
  }
  for (const char* leaf : {"model.layers.10.mlp.down_proj", "visual.blocks.1.attn.qkv", "lm_head",
                           "my_layers.0.mlp", ""}) {
    EXPECT_EQ(kept_in(Compute::int8, leaf), Compute::int8) << leaf;
  }
}

TEST(Bytes, ARowTooSmallForAScaleGivesZeros) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  cpu::Engine engine(1, Compute::int8);
  const StoredWeight weight(ElementType::float32, {Index{64}, Index{70}}, 1);
  const auto w = engine.matrix(weight.stored(), Ffn{64}, Hidden{70});
  Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{2}, Hidden{70}, 3);
  x.change([](Index row, Index, double old) { return row == 0 ? -3e-38 * std::abs(old) : old; });
  const Operand<cpu::Engine, Tokens, Ffn> y(engine, Tokens{2}, Ffn{64}, 4);
  matmul(engine, y.view(), x.input(), w);
  const auto found = y.found();
  for (std::size_t at = 0; at < found.size(); ++at) {
    EXPECT_EQ(found[at] == 0, at < 64) << "number " << at;
  }
}

/// A vision MLP, a language MLP and attention with residual on random operands.
Numbers some_layers(cpu::Engine& engine, Index rows) {
  const auto frame = engine.frame();
  const Index width = 96;
  const Index inner = 200;
  const StoredWeight a(ElementType::bfloat16, {inner, width}, 1);
  const StoredWeight b(ElementType::bfloat16, {inner, width}, 2);
  const StoredWeight c(ElementType::bfloat16, {width, inner}, 3);
  const StoredWeight bias_a(ElementType::float32, {inner}, 4);
  const StoredWeight bias_c(ElementType::float32, {width}, 5);
  const auto gate = engine.matrix(a.stored(), Ffn{inner}, Hidden{width});
  const auto up = engine.matrix(b.stored(), Ffn{inner}, Hidden{width});
  const auto down = engine.matrix(c.stored(), Hidden{width}, Ffn{inner});
  const Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{width}, 6, 0, 0.1);
  const Operand<cpu::Engine, Tokens, Hidden> y(engine, Tokens{rows}, Hidden{width}, 7);
  swiglu_mlp(engine, y.view(), x.input(), gate, up, down);
  quick_gelu_mlp(engine, y.view(), x.input(), gate, engine.vector(bias_a.stored(), Ffn{inner}),
                 down, engine.vector(bias_c.stored(), Hidden{width}));
  const auto heads = split(y.view(), Heads{6}, HeadDim{16});
  const auto keys = rename<Keys, KvHeads, HeadDim>(split(x.view(), KvHeads{6}, HeadDim{16}));
  using KeyView = View<const float, Keys, KvHeads, HeadDim>;
  const auto context = engine.allocate<float>(Tokens{rows}, Heads{6}, HeadDim{16});
  attend(engine, context, heads, KeyView(keys), KeyView(keys), 0.25, Causal{0});
  add(engine, y.view(), merge<Hidden>(context));
  return y.found();
}

TEST(FastCpu, FusedStepsAreTheirParts) {
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (isa > cpu::best_isa()) continue;
    cpu::Engine engine(2, Compute::fp32, isa);
    const auto frame = engine.frame();
    const StoredWeight a(ElementType::float32, {70, 33}, 1);
    const StoredWeight b(ElementType::float32, {70, 33}, 2);
    const StoredWeight c(ElementType::float32, {33, 70}, 3);
    const auto gate = engine.matrix(a.stored(), Ffn{70}, Hidden{33});
    const auto up = engine.matrix(b.stored(), Ffn{70}, Hidden{33});
    const auto down = engine.matrix(c.stored(), Hidden{33}, Ffn{70});
    for (const Index rows : {1, 5, 130}) {
      const Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{33}, 6, 0, 0.2);
      const Operand<cpu::Engine, Tokens, Hidden> fused(engine, Tokens{rows}, Hidden{33}, 7);
      const Operand<cpu::Engine, Tokens, Hidden> parts(engine, Tokens{rows}, Hidden{33}, 7);
      swiglu_mlp(engine, fused.view(), x.input(), gate, up, down);
      const auto inner = engine.allocate<float>(Tokens{rows}, Ffn{70});
      const auto other = engine.allocate<float>(Tokens{rows}, Ffn{70});
      const auto result = engine.allocate<float>(Tokens{rows}, Hidden{33});
      matmul(engine, inner, x.input(), gate);
      matmul(engine, other, x.input(), up);
      swiglu(engine, inner, other);
      matmul(engine, result, inner, down);
      add(engine, parts.view(), result);
      expect_close<float>(parts.found(), fused.found(), "swiglu_mlp");
    }
  }
}

/// The same kernels on the same words: not one bit differs. Keys of fewer than 16 numbers are kept
/// in float32 and go their own way.
TEST(FastCpu, QueryKeyAndValueAreThreeProducts) {
  struct Affine {
    cpu::Matrix<Queries, Hidden> weight;
    Tensor<float, Queries> bias;
  };
  for (const Compute compute : {Compute::fp32, Compute::bf16, Compute::int8}) {
    if (compute != Compute::fp32 && !wide()) continue;
    cpu::Engine engine(3, compute);
    for (const Index keys : {70, 8}) {
      const auto loaded = [&](Index out, std::uint64_t seed) {
        const StoredWeight weight(ElementType::float32, {out, 33}, seed);
        const StoredWeight bias(ElementType::float32, {out}, seed + 1);
        return Affine{engine.matrix(weight.stored(), Queries{out}, Hidden{33}),
                      engine.vector(bias.stored(), Queries{out})};
      };
      const Affine to_query = loaded(130, 1);
      const Affine to_key = loaded(keys, 3);
      const Affine to_value = loaded(keys, 5);
      for (const Index rows : {1, 5, 130}) {
        const auto frame = engine.frame();
        using Out = Operand<cpu::Engine, Tokens, Queries>;
        const Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{33}, 7, 1);
        const Out query(engine, Tokens{rows}, Queries{130}, 8, 2);
        const Out key(engine, Tokens{rows}, Queries{keys}, 9);
        const Out value(engine, Tokens{rows}, Queries{keys}, 10);
        matmul_qkv(engine, query.view(), key.view(), value.view(), x.view(), to_query, to_key,
                   to_value);
        const auto expect_product = [&](const Out& found, const Affine& to) {
          const Out alone(engine, Tokens{rows}, to.weight.out, 11);
          matmul(engine, alone.view(), x.input(), to.weight, to.bias);
          EXPECT_EQ(found.found(), alone.found()) << rows << " rows, " << keys << " keys";
        };
        expect_product(query, to_query);
        expect_product(key, to_key);
        expect_product(value, to_value);
      }
    }
  }
}

/// Layers pass what they have just computed: a view that may be written to. Their MLPs then keep
/// inner activations at half the width, and the scratch that an engine takes tells.
TEST(FastCpu, LayersGetTheFusedSteps) {
  if (!wide()) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  constexpr Index rows = 256;
  constexpr Index width = 64;
  constexpr Index inner = 8192;
  const auto scratch_of = [&](const auto& run) {
    cpu::Engine engine(1, Compute::bf16);
    const StoredWeight up(ElementType::bfloat16, {inner, width}, 1);
    const StoredWeight down(ElementType::bfloat16, {width, inner}, 2);
    const StoredWeight long_bias(ElementType::float32, {inner}, 3);
    const StoredWeight bias(ElementType::float32, {width}, 4);
    const auto frame = engine.frame();
    const auto x = engine.allocate<float>(Tokens{rows}, Hidden{width});
    const auto y = engine.allocate<float>(Tokens{rows}, Hidden{width});
    std::fill_n(x.data(), x.size(), 0.5F);
    std::fill_n(y.data(), y.size(), 0.5F);
    run(engine, y, x, engine.matrix(up.stored(), Ffn{inner}, Hidden{width}),
        engine.vector(long_bias.stored(), Ffn{inner}),
        engine.matrix(down.stored(), Hidden{width}, Ffn{inner}),
        engine.vector(bias.stored(), Hidden{width}));
    return static_cast<Index>(engine.arena().capacity());
  };
  // Beside half a width there are operands and what the arena holds ahead.
  constexpr Index floats = 2 * rows * inner * 4;
  EXPECT_LT(scratch_of([](auto& engine, auto y, auto x, const auto& fc1, const auto& bias1,
                          const auto& fc2, const auto& bias2) {
              quick_gelu_mlp(engine, y, x, fc1, bias1, fc2, bias2);
            }),
            floats);
  EXPECT_LT(
      scratch_of([](auto& engine, auto y, auto x, const auto& gate, const auto&, const auto& down,
                    const auto&) { swiglu_mlp(engine, y, x, gate, gate, down); }),
      floats);
  // x·Wᵀ before it is added would take rows · inner floats; y += it in place takes strips.
  EXPECT_LT(scratch_of([](auto& engine, auto, auto x, const auto& up, const auto& long_bias,
                          const auto&, const auto&) {
              Tensor<float, Tokens, Ffn> wide_y(Tokens{rows}, Ffn{inner});
              matmul_add(engine, wide_y.view(), x, up, long_bias);
            }),
            floats);
}

TEST(FastCpu, SumsInOneStepAreACopyAndAnAddition) {
  cpu::Engine engine(2, Compute::fp32);
  for (const auto& [rows, columns] : {std::pair<Index, Index>{1, 5}, {70, 33}, {300, 256}}) {
    const Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{columns}, 1, 3);
    const Operand<cpu::Engine, Tokens, Hidden> y(engine, Tokens{rows}, Hidden{columns}, 2, 1);
    const Operand<cpu::Engine, Tokens, Hidden> z(engine, Tokens{rows}, Hidden{columns}, 3, 2);
    const Operand<cpu::Engine, Tokens, Hidden> parts(engine, Tokens{rows}, Hidden{columns}, 3);
    sum(engine, z.view(), x.input(), y.input());
    copy(engine, parts.view(), x.input());
    add(engine, parts.view(), y.input());
    EXPECT_EQ(z.found(), parts.found());
  }
  const Operand<cpu::Engine, Tokens, Hidden> x(engine, Tokens{2}, Hidden{3}, 1);
  const Operand<cpu::Engine, Tokens, Hidden> longer(engine, Tokens{3}, Hidden{3}, 1);
  EXPECT_EQ(usage_error([&] { sum(engine, x.view(), x.input(), longer.input()); }),
            "sum: expected (Tokens 2, Hidden 3), found (Tokens 3, Hidden 3)");
}

TEST(FastCpu, AnyNumberOfThreadsGivesTheSameBits) {
  for (const Compute compute : {Compute::fp32, Compute::bf16, Compute::int8}) {
    if (compute != Compute::fp32 && !wide()) continue;
    for (const Index rows : {1, 300}) {
      cpu::Engine one(1, compute);
      const Numbers expected = some_layers(one, rows);
      for (const Index threads : {2, 3}) {
        cpu::Engine several(threads, compute);
        EXPECT_EQ(expected, some_layers(several, rows))
            << name_of(compute) << ", " << rows << " rows, " << threads << " threads";
      }
    }
  }
}

TEST(FastCpu, RefusesWhatTheProcessorLacks) {
  EXPECT_THROW(cpu::Engine(1, Compute::fp32, Isa::none), Error);
  try {
    const cpu::Engine engine(1, Compute::int8, Isa::avx2);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::resource);
    EXPECT_STREQ(error.what(),
                 "cpu backend: int8: expected a processor with AVX512-VNNI and AVX512-BF16, found "
                 "AVX2");
  }
}

TEST(Pool, RunsEveryTaskOnceAndRethrowsTheFirstError) {
  cpu::Pool pool(3);
  constexpr Index large = Index{1} << 30U;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> seen(50);
    pool.run(50, large, [&](Index task, Index thread) {
      EXPECT_LT(thread, 3);
      seen[static_cast<std::size_t>(task)] += 1;
    });
    for (const auto& count : seen) ASSERT_EQ(count, 1);
  }
  EXPECT_THROW(pool.run(50, large,
                        [](Index task, Index) {
                          if (task == 7) throw std::runtime_error("seven");
                        }),
               std::runtime_error);
  int after = 0;
  pool.run(1, large, [&](Index, Index) { ++after; });
  EXPECT_EQ(after, 1) << "a pool works on after an error";
}

}  // namespace
}  // namespace stamp::test
