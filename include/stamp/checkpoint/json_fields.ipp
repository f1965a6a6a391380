// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/json_fields.hpp>.
#pragma once

#include <cmath>
#include <limits>
#include <stamp/checkpoint/json_fields.hpp>

namespace stamp::checkpoint {

std::string shown(const nlohmann::json& value) {
  if (value.is_array() && value.size() > 16)
    return "of " + std::to_string(value.size()) + " values";
  if (value.is_object()) return "{...}";
  return printable(value.dump(), 80);
}

Fields::Fields(const Json& object, std::string where, const Fields* fallback)
    : object_(object), where_(std::move(where)), fallback_(fallback) {
  if (!object.is_object()) {
    fail(Fault::input, where_ + ": must be a JSON object, found " + object.type_name());
  }
}

const nlohmann::json* Fields::find(std::string_view name) const {
  const auto member = object_.find(name);
  if (member != object_.end() && !member->is_null()) return &*member;
  return fallback_ == nullptr ? nullptr : fallback_->find(name);
}

Index Fields::integer(std::string_view name, IntegerRange range) const {
  const auto value = optional_integer(name, range);
  if (!value) absent(name, rule(range));
  return *value;
}

Index Fields::integer_or(std::string_view name, IntegerRange range, Index otherwise) const {
  return optional_integer(name, range).value_or(otherwise);
}

std::optional<Index> Fields::optional_integer(std::string_view name, IntegerRange range) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  return as_integer(name, *value, range);
}

std::vector<Index> Fields::integers(std::string_view name, IntegerRange range, Alone alone) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (alone == Alone::allowed && value->is_number()) return {as_integer(name, *value, range)};
  if (!value->is_array()) wrong(name, *value, "must be a list of integers");
  std::vector<Index> list;
  for (const Json& element : *value) list.push_back(as_integer(name, element, range));
  return list;
}

double Fields::number(std::string_view name, NumberRange range) const {
  if (!has(name)) absent(name, rule(range));
  return as_number(name, *find(name), range);
}

double Fields::number_or(std::string_view name, NumberRange range, double otherwise) const {
  return has(name) ? number(name, range) : otherwise;
}

bool Fields::boolean_or(std::string_view name, bool otherwise) const {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) wrong(name, *value, "must be true or false");
  return value->get<bool>();
}

std::optional<std::string> Fields::text(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) wrong(name, *value, "must be a string");
  return value->get<std::string>();
}

Index Fields::as_integer(std::string_view name, const Json& value, IntegerRange range) const {
  const bool whole = value.is_number_integer();
  const bool fits = whole && !(value.is_number_unsigned() &&
                               value.get<std::uint64_t>() >
                                   static_cast<std::uint64_t>(std::numeric_limits<Index>::max()));
  if (!fits) wrong(name, value, rule(range));
  const auto found = static_cast<Index>(value.get<std::int64_t>());
  if (found < range.least || found > range.most) wrong(name, value, rule(range));
  return found;
}

double Fields::as_number(std::string_view name, const Json& value, NumberRange range) const {
  if (!value.is_number()) wrong(name, value, rule(range));
  const auto found = value.get<double>();
  if (!std::isfinite(found) || found < range.least || found > range.most) {
    wrong(name, value, rule(range));
  }
  return found;
}

void Fields::wrong(std::string_view name, const Json& value, std::string_view rule) const {
  fail(Fault::input,
       where_ + ": " + std::string(name) + " " + shown(value) + ": " + std::string(rule));
}

void Fields::absent(std::string_view name, std::string_view rule) const {
  fail(Fault::input, where_ + ": " + std::string(name) + " absent: " + std::string(rule));
}

std::string Fields::rule(IntegerRange range) {
  return "must be an integer from " + std::to_string(range.least) + " to " +
         std::to_string(range.most);
}

std::string Fields::rule(NumberRange range) {
  return "must be a number from " + Json(range.least).dump() + " to " + Json(range.most).dump();
}

void check_divides(const Fields& fields, std::string_view name, Index divisor, std::string_view of,
                   Index whole) {
  if (whole % divisor == 0) return;
  fields.wrong(name, divisor, "must divide " + std::string(of) + " " + std::to_string(whole));
}

void check_only(const Fields& fields, std::string_view name, std::string_view only) {
  const auto value = fields.text(name);
  if (value && *value != only) fields.wrong(name, *value, "must be " + std::string(only));
}

}  // namespace stamp::checkpoint
