// SPDX-License-Identifier: Apache-2.0
// Reading single fields of a JSON object from an untrusted file: type and range are checked at the
// door. Every message is "WHERE: FIELD VALUE: RULE".
#pragma once

#include <algorithm>
#include <cmath>
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
[[nodiscard]] inline std::string shown(const nlohmann::json& value) {
  if (value.is_array() && value.size() > 16)
    return "of " + std::to_string(value.size()) + " values";
  if (value.is_object()) return "{...}";
  return printable(value.dump(), 80);
}

/// The fields of one JSON object, and where that object stands. A field that is null counts as
/// absent, as in the Python that writes these files. Refers to the document; does not own it.
class Fields {
 public:
  using Json = nlohmann::json;

  /// `fallback` answers for fields that `object` lacks. Throws Error{input} unless it is an object.
  Fields(const Json& object, std::string where, const Fields* fallback = nullptr)
      : object_(object), where_(std::move(where)), fallback_(fallback) {
    if (!object.is_object()) {
      fail(Fault::input, where_ + ": must be a JSON object, found " + object.type_name());
    }
  }

  [[nodiscard]] const std::string& where() const { return where_; }
  /// The raw value; null pointer when absent.
  [[nodiscard]] const Json* find(std::string_view name) const {
    const auto member = object_.find(name);
    if (member != object_.end() && !member->is_null()) return &*member;
    return fallback_ == nullptr ? nullptr : fallback_->find(name);
  }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }

  [[nodiscard]] Index integer(std::string_view name, IntegerRange range) const {
    const auto value = optional_integer(name, range);
    if (!value) absent(name, rule(range));
    return *value;
  }
  [[nodiscard]] Index integer_or(std::string_view name, IntegerRange range, Index otherwise) const {
    return optional_integer(name, range).value_or(otherwise);
  }
  [[nodiscard]] std::optional<Index> optional_integer(std::string_view name,
                                                      IntegerRange range) const {
    const Json* value = find(name);
    if (value == nullptr) return std::nullopt;
    return as_integer(name, *value, range);
  }
  /// A list of integers; a single integer is a list of one when `alone` allows it.
  enum class Alone { refused, allowed };
  [[nodiscard]] std::vector<Index> integers(std::string_view name, IntegerRange range,
                                            Alone alone = Alone::refused) const {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (alone == Alone::allowed && value->is_number()) return {as_integer(name, *value, range)};
    if (!value->is_array()) wrong(name, *value, "must be a list of integers");
    std::vector<Index> list;
    for (const Json& element : *value) list.push_back(as_integer(name, element, range));
    return list;
  }

  [[nodiscard]] double number(std::string_view name, NumberRange range) const {
    if (!has(name)) absent(name, rule(range));
    return as_number(name, *find(name), range);
  }
  [[nodiscard]] double number_or(std::string_view name, NumberRange range, double otherwise) const {
    return has(name) ? number(name, range) : otherwise;
  }

  [[nodiscard]] bool boolean_or(std::string_view name, bool otherwise) const {
    const Json* value = find(name);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) wrong(name, *value, "must be true or false");
    return value->get<bool>();
  }

  [[nodiscard]] std::optional<std::string> text(std::string_view name) const {
    const Json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) wrong(name, *value, "must be a string");
    return value->get<std::string>();
  }

  [[nodiscard]] Index as_integer(std::string_view name, const Json& value,
                                 IntegerRange range) const {
    const bool whole = value.is_number_integer();
    const bool fits = whole && !(value.is_number_unsigned() &&
                                 value.get<std::uint64_t>() >
                                     static_cast<std::uint64_t>(std::numeric_limits<Index>::max()));
    if (!fits) wrong(name, value, rule(range));
    const auto found = static_cast<Index>(value.get<std::int64_t>());
    if (found < range.least || found > range.most) wrong(name, value, rule(range));
    return found;
  }
  [[nodiscard]] double as_number(std::string_view name, const Json& value,
                                 NumberRange range) const {
    if (!value.is_number()) wrong(name, value, rule(range));
    const auto found = value.get<double>();
    if (!std::isfinite(found) || found < range.least || found > range.most) {
      wrong(name, value, rule(range));
    }
    return found;
  }

  /// Throws Error{input} "WHERE: FIELD VALUE: RULE".
  [[noreturn]] void wrong(std::string_view name, const Json& value, std::string_view rule) const {
    fail(Fault::input,
         where_ + ": " + std::string(name) + " " + shown(value) + ": " + std::string(rule));
  }
  [[noreturn]] void absent(std::string_view name, std::string_view rule) const {
    fail(Fault::input, where_ + ": " + std::string(name) + " absent: " + std::string(rule));
  }

 private:
  [[nodiscard]] static std::string rule(IntegerRange range) {
    return "must be an integer from " + std::to_string(range.least) + " to " +
           std::to_string(range.most);
  }
  [[nodiscard]] static std::string rule(NumberRange range) {
    return "must be a number from " + Json(range.least).dump() + " to " + Json(range.most).dump();
  }

  const Json& object_;
  std::string where_;
  const Fields* fallback_;
};

}  // namespace stamp::checkpoint
