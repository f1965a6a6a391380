// SPDX-License-Identifier: Apache-2.0
// What top-k keeps of scores (ops/fused.hpp) on every engine, against processors over whole rows.
#include <algorithm>
#include <bit>
#include <limits>
#include <stamp/ops/fused.hpp>
#include <unit/whole_row_sampling.hpp>

#include "engines.hpp"

namespace stamp::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class B>
class KeepTopK : public Operation<B> {};
TYPED_TEST_SUITE(KeepTopK, Engines, EngineName);

/// Token and bits of the score.
using Entry = std::pair<std::int32_t, std::uint32_t>;
Entry entry(std::int32_t token, float score) {
  return {token, std::bit_cast<std::uint32_t>(score)};
}

/// What the processors leave of a row, above -inf.
std::vector<Entry> left_of(std::vector<float> row, const TopK& how,
                           const std::vector<std::int32_t>& seen) {
  if (how.repetition_penalty != 1) penalise_whole_row(row, seen, how.repetition_penalty);
  for (float& score : row) score /= how.temperature;
  keep_top_k_of_whole_row(row, how.k);
  std::vector<Entry> left;
  for (std::size_t at = 0; at < row.size(); ++at) {
    if (row[at] > removed) left.push_back(entry(static_cast<std::int32_t>(at), row[at]));
  }
  return left;
}

std::vector<Entry> entries(std::span<const Scored> kept) {
  std::vector<Entry> all;
  for (const Scored& one : kept) all.push_back(entry(one.token, one.score));
  return all;
}

/// Four rows of scores, each behind one token more.
template <class B>
class Rows {
 public:
  Rows(B& engine, Index width, Index margin = 0)
      : engine_(engine),
        width_(width),
        x_(engine, Tokens{4}, Vocab{width}, static_cast<std::uint64_t>(width), margin, 8) {
    for (std::int32_t at = 0; at < 40; ++at) {
      history_.push_back((at * at * 7) % static_cast<std::int32_t>(width));
    }
    for (std::int32_t at = 0; at < 3; ++at) {
      ahead_.push_back((at * 31 + 5) % static_cast<std::int32_t>(width));
    }
  }

  /// Scores f(row, column, drawn).
  template <class F>
  Rows& are(const F& f) {
    x_.change(f);
    return *this;
  }

  [[nodiscard]] std::vector<float> row(Index at) const {
    const auto first = x_.values().begin() + at * width_;
    std::vector<float> numbers;
    std::transform(first, first + width_, std::back_inserter(numbers),
                   [](double number) { return static_cast<float>(number); });
    return numbers;
  }

  /// Runs the operation. Twice: nothing is left of the first time.
  [[nodiscard]] const KeptScores& kept(const TopK& how) {
    for (int again = 0; again < 2; ++again) {
      top_k(own_steps(engine_), kept_, x_.view(), how, history_, ahead_);
    }
    EXPECT_EQ(kept_.ends.size(), 4U);
    return kept_;
  }
  void expect_as_of_whole_rows(const TopK& how) {
    const KeptScores& found = kept(how);
    std::vector<std::int32_t> seen = history_;
    for (std::size_t at = 0; at < 4; ++at) {
      if (at > 0) seen.push_back(ahead_[at - 1]);
      EXPECT_EQ(entries(found.row(at)), left_of(row(static_cast<Index>(at)), how, seen))
          << "row " << at << " of " << width_ << ", k " << how.k << ", temperature "
          << how.temperature << ", penalty " << how.repetition_penalty;
    }
  }
  [[nodiscard]] std::vector<double> after() const { return x_.found(); }
  [[nodiscard]] const std::vector<double>& before() const { return x_.values(); }

 private:
  B& engine_;
  Index width_;
  Operand<B, Tokens, Vocab> x_;
  std::vector<std::int32_t> history_;
  std::vector<std::int32_t> ahead_;
  KeptScores kept_;
};

TYPED_TEST(KeepTopK, KeepsWhatProcessorsLeaveOfWholeRows) {
  for (const Index width : {1, 7, 64, 65, 2048, 2049, 9001}) {
    const auto frame = this->backend.frame();
    Rows<TypeParam> rows(this->backend, width);
    for (const Index k : {0, 1, 2, 50, 64, 65, 256, 257, 9001}) {
      for (const float temperature : {1.0F, 0.01F, 1.7F}) {
        for (const float penalty : {1.0F, 1.05F, 0.8F}) {
          rows.expect_as_of_whole_rows({k, temperature, penalty});
        }
      }
    }
    EXPECT_EQ(rows.after(), rows.before()) << "scores stay as they are";
  }
}

TYPED_TEST(KeepTopK, ReadsRowsThatStandApart) {
  for (const Index margin : {1, 8}) {  // one of them is not aligned
    Rows<TypeParam> rows(this->backend, 4099, margin);
    for (const Index k : {1, 50, 300}) rows.expect_as_of_whole_rows({k, 0.7F, 1.3F});
    EXPECT_EQ(rows.after(), rows.before());
  }
}

TYPED_TEST(KeepTopK, KeepsAllThatEqualTheKth) {
  Rows<TypeParam> rows(this->backend, 3000);
  // So many equal scores below one, two, three and four larger ones.
  for (const Index equal : {2, 60, 256, 300, 511, 512, 2990}) {
    rows.are([&](Index row, Index column, double) {
      const Index at = column * 1237 % 3000;  // in places all over
      if (at <= row) return 9.0 + static_cast<double>(at);
      return at <= row + equal ? 7.0 : -1.0 - static_cast<double>(at % 100);
    });
    for (const Index k : {1, 2, 3, 4, 5, 40, 64, 65}) {
      rows.expect_as_of_whole_rows({k, 1, 1});
      rows.expect_as_of_whole_rows({k, 0.3F, 1.2F});
    }
  }
  for (const double throughout : {0.0, -0.0, -3.0}) {
    rows.are([&](Index, Index, double) { return throughout; });
    rows.expect_as_of_whole_rows({1, 2, 1});
    EXPECT_EQ(rows.kept({50, 2, 1}).row(3).size(), 3000U);
  }
}

TYPED_TEST(KeepTopK, KeepsScoresThatTheTemperatureMakesEqual) {
  Rows<TypeParam> rows(this->backend, 2500);
  // Neighbours in float: quotients by 1.5 above 1 are fewer than what is divided.
  rows.are([](Index, Index column, double) {
    return 1.75 + static_cast<double>(column * 911 % 2500) * 0x1p-23;
  });
  for (const Index k : {1, 2, 3, 4, 5, 64}) rows.expect_as_of_whole_rows({k, 1.5F, 1});
  if (!std::same_as<typename TypeParam::Element, float>) return;
  std::size_t most = 0;
  for (const Index k : {1, 2, 3, 4}) {
    most = std::max(most, rows.kept({k, 1.5F, 1}).row(0).size() - static_cast<std::size_t>(k));
  }
  EXPECT_GE(most, 1U) << "nothing became equal";
}

TYPED_TEST(KeepTopK, LeavesOutWhatIsMinusInfinity) {
  Rows<TypeParam> rows(this->backend, 700);
  rows.are([](Index row, Index column, double drawn) {
    return row == 3 || column % 100 > row ? -infinity : drawn;
  });
  for (const Index k : {0, 1, 7, 8, 50}) rows.expect_as_of_whole_rows({k, 0.5F, 1.1F});
  EXPECT_TRUE(rows.kept({50, 1, 1}).row(3).empty());
  EXPECT_TRUE(rows.kept({0, 1, 1}).row(3).empty());
}

TYPED_TEST(KeepTopK, KeepsTheFirstThatIsNoNumberAlone) {
  Rows<TypeParam> rows(this->backend, 5000);
  // NaN, +inf, NaN ahead of +inf, and -inf, which takes no part.
  rows.are([](Index row, Index column, double drawn) {
    if (column == 4999 && row == 2) return infinity;
    if (column != 4321) return drawn;
    return row == 1 ? infinity : row == 3 ? -infinity : std::nan("");
  });
  for (const Index k : {0, 1, 50, 300}) {
    const KeptScores& kept = rows.kept({k, 0.9F, 1.2F});
    for (std::size_t row = 0; row < 3; ++row) {
      ASSERT_EQ(kept.row(row).size(), 1U) << k;
      EXPECT_EQ(kept.row(row)[0].token, 4321) << k;
      EXPECT_EQ(std::isnan(kept.row(row)[0].score), row != 1) << k;
      EXPECT_FALSE(kept.row(row)[0].score < 1e30F) << k;
    }
    EXPECT_GE(kept.row(3).size(), static_cast<std::size_t>(std::max<Index>(k, 1)));
  }
}

TYPED_TEST(KeepTopK, AQuotientThatIsNoNumberIsKeptAlone) {
  Rows<TypeParam> rows(this->backend, 300);
  rows.are([](Index row, Index column, double) {
    return row == 3 ? -8.0 : static_cast<double>(column % 10) - 4;
  });
  const KeptScores& kept = rows.kept({5, 1e-38F, 1});
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_EQ(entries(kept.row(row)), std::vector{entry(8, std::numeric_limits<float>::infinity())})
        << "4 / 1e-38";
  }
  EXPECT_TRUE(kept.row(3).empty()) << "-8 / 1e-38 is -inf";
}

TYPED_TEST(KeepTopK, OneRowNeedsNothingAhead) {
  auto& engine = own_steps(this->backend);
  const Operand<TypeParam, Tokens, Vocab> x(this->backend, Tokens{1}, Vocab{100}, 3);
  KeptScores kept;
  top_k(engine, kept, x.view(), {.k = 3}, {});
  EXPECT_EQ(kept.ends, (std::vector<std::size_t>{kept.scores.size()}));
  EXPECT_GE(kept.scores.size(), 3U);
}

TYPED_TEST(KeepTopK, RefusesTokensWithoutAScoreAndRowsWithoutAToken) {
  auto& engine = own_steps(this->backend);
  const Operand<TypeParam, Tokens, Vocab> x(this->backend, Tokens{2}, Vocab{100}, 3);
  KeptScores kept;
  const std::vector<std::int32_t> one{1};
  for (const std::int32_t id : {100, -1}) {
    const std::vector<std::int32_t> wrong{id};
    for (const bool in_history : {true, false}) {
      try {
        top_k(engine, kept, x.view(), {.k = 3, .repetition_penalty = 2}, in_history ? wrong : one,
              in_history ? one : wrong);
        ADD_FAILURE() << id;
      } catch (const Error& error) {
        EXPECT_EQ(error.fault(), Fault::failure);
        EXPECT_EQ(error.what(), "repetition penalty: token id " + std::to_string(id) +
                                    ", expected one of 100 logits");
      }
    }
  }
  EXPECT_EQ(usage_error([&] { top_k(engine, kept, x.view(), {.k = 3}, {}); }),
            "top_k: expected 2 numbers, found 1");
}

}  // namespace
}  // namespace stamp::test
