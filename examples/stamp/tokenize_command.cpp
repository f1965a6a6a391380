// SPDX-License-Identifier: Apache-2.0
// stamp tokenize: one JSON value a line in, one a line out.
#include <fmt/format.h>

#include <iostream>
#include <stamp/checkpoint/json.hpp>
#include <stamp/text/tokenizer_file.hpp>

#include "settings.hpp"

namespace stamp::command {

int tokenize_command(const Settings& s) {
  const text::Tokenizer tokenizer = text::read_tokenizer(model_folder(s));
  const auto reading =
      s.allow_special ? text::SpecialTokens::as_control : text::SpecialTokens::as_text;
  constexpr checkpoint::JsonLimits limits{.bytes = std::size_t{64} << 20U};
  std::string line;
  for (Index number = 1; std::getline(std::cin, line); ++number) {
    if (std::ferror(stdout) != 0) break;  // main says why
    const std::string where = fmt::format("line {}", number);
    const auto value = checkpoint::parse_json(line, where, limits);
    if (!s.decode) {
      if (!value.is_string()) fail(Fault::input, where + ": expected a JSON string");
      const auto ids = tokenizer.encode(value.get_ref<const std::string&>(), reading, where);
      fmt::print("[{}]\n", fmt::join(ids, ","));
    } else {
      std::vector<text::TokenId> ids;
      if (!value.is_array()) fail(Fault::input, where + ": expected a JSON array of ids");
      for (const auto& id : value) {
        if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
            id.get<std::int64_t>() >= tokenizer.vocab_size()) {
          fail(Fault::input, fmt::format("{}: id {}: expected 0 to {}", where, id.dump(),
                                         tokenizer.vocab_size() - 1));
        }
        ids.push_back(id.get<text::TokenId>());
      }
      fmt::print("{}\n",
                 nlohmann::json(tokenizer.decode(ids, text::Decoding::keep_special)).dump());
    }
  }
  return 0;
}

}  // namespace stamp::command
