// SPDX-License-Identifier: Apache-2.0
// The one error type of the library and the checks that raise it.
// An error is one sentence: what is wrong, where, what was expected, what was found.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stamp {

/// Signed size of an axis and signed position along it; every extent and index of the library.
using Index = std::ptrdiff_t;

/// Why something failed. The values are the exit codes of the `stamp` command.
enum class Fault {
  failure = 1,   ///< a comparison differs, or a run failed for another reason
  usage = 2,     ///< the caller asked for something that cannot be asked
  input = 3,     ///< a file, image or text is bad
  resource = 4,  ///< memory, disk or device is missing
};

/// Every error that the library reports.
class Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& sentence) : std::runtime_error(sentence), fault_(fault) {}
  [[nodiscard]] Fault fault() const noexcept { return fault_; }

 private:
  Fault fault_;
};

/// Throws `Error{fault, sentence}`; out of line of the hot path on purpose.
[[noreturn]] inline void fail(Fault fault, const std::string& sentence) {
  throw Error(fault, sentence);
}

/// An axis in an error message.
struct NamedExtent {
  std::string_view name;
  Index extent;
};

/// "(Tokens 7, Hidden 1536)". Sentences are put together here, once, and not in templates: they are
/// a large part of what a compiler would have to optimise.
[[nodiscard, gnu::cold, gnu::noinline]] inline std::string describe_extents(
    std::span<const NamedExtent> axes) {
  std::string text;
  for (const auto& [name, extent] : axes) {
    text += text.empty() ? "(" : ", ";
    text += name;
    text += " ";
    text += std::to_string(extent);
  }
  return text + ")";
}

/// Throws Error{usage}: "where: expected (…), found (…)".
[[noreturn, gnu::cold, gnu::noinline]] inline void fail_shape(std::string_view where,
                                                              std::span<const NamedExtent> expected,
                                                              std::span<const NamedExtent> found) {
  fail(Fault::usage, std::string(where) + ": expected " + describe_extents(expected) + ", found " +
                         describe_extents(found));
}

/// Throws Error{usage}: "where: expected Hidden 3, found Hidden 4".
[[noreturn, gnu::cold, gnu::noinline]] inline void fail_extent(std::string_view where,
                                                               std::string_view axis,
                                                               Index expected, Index found) {
  fail(Fault::usage, std::string(where) + ": expected " + std::string(axis) + " " +
                         std::to_string(expected) + ", found " + std::string(axis) + " " +
                         std::to_string(found));
}

/// a*b for sizes that come from untrusted files; throws Error{input} naming `what` on overflow.
[[nodiscard]] inline Index checked_multiply(Index a, Index b, std::string_view what) {
  Index product = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    fail(Fault::input, std::string(what) + ": element count overflows, " + std::to_string(a) +
                           " times " + std::to_string(b));
  }
  return product;
}

/// Throws Error{usage} unless a view of `expected` numbers meets as many on the host.
inline void check_count(std::string_view where, Index expected, std::size_t found) {
  if (static_cast<std::size_t>(expected) != found) {
    fail(Fault::usage, std::string(where) + ": expected " + std::to_string(expected) +
                           " numbers, found " + std::to_string(found));
  }
}

/// a+b for sizes that come from untrusted files; throws Error{input} naming `what` on overflow.
[[nodiscard]] inline Index checked_add(Index a, Index b, std::string_view what) {
  Index sum = 0;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) {
    fail(Fault::input, std::string(what) + ": size overflows, " + std::to_string(a) + " plus " +
                           std::to_string(b));
  }
  return sum;
}

/// The first twenty of many problems as one sentence, and how many more there are.
[[nodiscard]] inline std::string first_of(const std::vector<std::string>& problems) {
  constexpr std::size_t listed = 20;
  std::string sentence;
  for (std::size_t at = 0; at < problems.size() && at < listed; ++at) {
    sentence += (at == 0 ? "" : "; ") + problems[at];
  }
  if (problems.size() > listed) {
    sentence += "; and " + std::to_string(problems.size() - listed) + " more";
  }
  return sentence;
}

}  // namespace stamp
