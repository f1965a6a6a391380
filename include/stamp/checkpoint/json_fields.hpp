// SPDX-License-Identifier: Apache-2.0
// Reading single fields of a JSON object from an untrusted file: type and range are checked at the
// door. Every message is "WHERE: FIELD VALUE: RULE".
#pragma once

#include <optional>
#include <stamp/checkpoint/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// Inclusive bounds of an integer field.
struct IntegerRange {
  Index least = 0;
  Index most = 0;
};

/// Inclusive bounds of a numeric field.
struct NumberRange {
  double least = 0;
  double most = 0;
};

/// A value as messages show it: one line, not long.
[[nodiscard]] std::string shown(const nlohmann::json& value);

/// The fields of one JSON object, and where that object stands. A field that is null counts as
/// absent, as in the Python that writes these files. Refers to the document; does not own it.
class Fields {
 public:
  using Json = nlohmann::json;

  /// `fallback` answers for fields that `object` lacks. Throws Error{input} unless it is an object.
  Fields(const Json& object, std::string where, const Fields* fallback = nullptr);

  [[nodiscard]] const std::string& where() const { return where_; }
  /// The raw value; null pointer when absent.
  [[nodiscard]] const Json* find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }

  [[nodiscard]] Index integer(std::string_view name, IntegerRange range) const;
  [[nodiscard]] Index integer_or(std::string_view name, IntegerRange range, Index otherwise) const;
  [[nodiscard]] std::optional<Index> optional_integer(std::string_view name,
                                                      IntegerRange range) const;
  /// A list of integers; a single integer is a list of one when `alone` allows it.
  enum class Alone { refused, allowed };
  [[nodiscard]] std::vector<Index> integers(std::string_view name, IntegerRange range,
                                            Alone alone = Alone::refused) const;

  [[nodiscard]] double number(std::string_view name, NumberRange range) const;
  [[nodiscard]] double number_or(std::string_view name, NumberRange range, double otherwise) const;

  [[nodiscard]] bool boolean_or(std::string_view name, bool otherwise) const;

  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;

  [[nodiscard]] Index as_integer(std::string_view name, const Json& value,
                                 IntegerRange range) const;
  [[nodiscard]] double as_number(std::string_view name, const Json& value, NumberRange range) const;

  /// Throws Error{input} "WHERE: FIELD VALUE: RULE".
  [[noreturn]] void wrong(std::string_view name, const Json& value, std::string_view rule) const;
  [[noreturn]] void absent(std::string_view name, std::string_view rule) const;

 private:
  [[nodiscard]] static std::string rule(IntegerRange range);
  [[nodiscard]] static std::string rule(NumberRange range);

  const Json& object_;
  std::string where_;
  const Fields* fallback_;
};

/// `divisor` must divide `whole`; both are positive. Throws as Fields::wrong.
void check_divides(const Fields& fields, std::string_view name, Index divisor, std::string_view of,
                   Index whole);

/// A field that names the one thing that is built here, or is absent. Throws as Fields::wrong.
void check_only(const Fields& fields, std::string_view name, std::string_view only);

}  // namespace stamp::checkpoint
