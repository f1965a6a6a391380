// SPDX-License-Identifier: Apache-2.0
// A compiled PCRE2 expression (UTF, Unicode properties, JIT) that splits text into pieces.
// Mirrors `Split` with behaviour Isolated of Hugging Face `tokenizers`.
#pragma once

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>

namespace stamp::text {

namespace detail {

struct FreePcre2 {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
template <class T>
using Pcre2 = std::unique_ptr<T, FreePcre2>;

}  // namespace detail

/// Immutable after construction, so any number of threads may match with one Regex at a time.
class Regex {
 public:
  /// Compiles `pattern`, in PCRE2's spelling. Throws Error{input}, starting with `where`.
  Regex(std::string_view pattern, std::string where);

  /// Calls `piece(std::string_view)` for every match and for every stretch between two matches, in
  /// order; no piece is empty. `text` must be valid UTF-8. Throws Error{input} when the pattern
  /// needs more steps or memory than a text of this length may cost.
  template <class Piece>
  void split(std::string_view text, Piece piece) const {
    const Limits limits(*code_, text.size());
    std::size_t done = 0;  // everything before is in some piece
    for (std::size_t from = 0; from < text.size();) {
      const int count =
          pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                      PCRE2_NO_UTF_CHECK, limits.data.get(), limits.context.get());
      if (count == PCRE2_ERROR_NOMATCH) break;
      if (count < 0) give_up(count, from, text.size());
      const PCRE2_SIZE* match = pcre2_get_ovector_pointer(limits.data.get());
      if (match[0] > done) piece(text.substr(done, match[0] - done));
      piece(text.substr(match[0], match[1] - match[0]));
      from = done = match[1];
    }
    if (done < text.size()) piece(text.substr(done));
  }

 private:
  /// What one call of `split` may cost; the JIT's default stack of 32 KiB is too small for some.
  struct Limits {
    static constexpr std::size_t most_stack = std::size_t{8} << 20;
    static constexpr std::uint32_t most_heap_kib = 256 * 1024;
    static constexpr std::uint64_t least_steps = 10'000'000;  // PCRE2's default
    static constexpr std::uint64_t steps_per_byte = 16;

    Limits(const pcre2_code& code, std::size_t bytes)
        : data(pcre2_match_data_create_from_pattern(&code, nullptr)),
          context(pcre2_match_context_create(nullptr)),
          stack(pcre2_jit_stack_create(std::size_t{32} << 10, most_stack, nullptr)) {
      if (!data || !context) fail(Fault::resource, "out of memory while splitting text");
      const std::uint64_t steps = least_steps + steps_per_byte * bytes;
      constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
      pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(steps < most ? steps : most));
      pcre2_set_heap_limit(context.get(), most_heap_kib);
      pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
    detail::Pcre2<pcre2_match_data> data;
    detail::Pcre2<pcre2_match_context> context;
    detail::Pcre2<pcre2_jit_stack> stack;
  };

  [[noreturn]] void give_up(int code, std::size_t at, std::size_t bytes) const;

  std::string where_;
  detail::Pcre2<pcre2_code> code_;
};

}  // namespace stamp::text
