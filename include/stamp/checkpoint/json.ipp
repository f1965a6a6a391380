// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/json.hpp>.
#pragma once

#include <stamp/checkpoint/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace stamp::checkpoint {

namespace detail {

/// Input iterator that lets the builder below see how far the parser has read.
class TrackedCharacter {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedCharacter(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  TrackedCharacter& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  TrackedCharacter operator++(int) {
    TrackedCharacter before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedCharacter& other) const { return at_ == other.at_; }
  bool operator!=(const TrackedCharacter& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** seen_;
};

/// Builds the document from the parser's events; the parser itself is iterative, and so is this.
/// Keys arrive here unescaped, hence "w" and "\u0077" are the same key.
class StrictBuilder {
 public:
  using Json = nlohmann::json;

  StrictBuilder(const char* begin, std::string_view where, JsonLimits limits)
      : seen(begin), begin_(begin), where_(where), limits_(limits) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return enter(Json::object()); }
  bool start_array(std::size_t) { return enter(Json::array()); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }

  bool key(std::string& name) {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, added] = members.try_emplace(std::move(name), nullptr);
    if (!added) stop("duplicate key " + printable(member->first));
    key_ = &member->first;
    slot_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const std::exception& error) {
    stop_at(position == 0 ? 0 : position - 1, reason(error.what()));
  }

  Json document;
  const char* seen;  ///< first byte that the parser has not read

 private:
  template <class Value>
  Json* place(Value&& value) {
    if (open_.empty()) {
      document = std::forward<Value>(value);
      return &document;
    }
    if (open_.back()->is_array()) {
      auto& elements = open_.back()->get_ref<Json::array_t&>();
      return &elements.emplace_back(std::forward<Value>(value));
    }
    *slot_ = std::forward<Value>(value);
    return slot_;
  }

  template <class Value>
  bool put(Value&& value) {
    if (++values_ > limits_.values) stop("more than " + std::to_string(limits_.values) + " values");
    place(std::forward<Value>(value));
    return true;
  }

  bool enter(Json container) {
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      stop("nesting deeper than " + std::to_string(limits_.depth));
    }
    if (++values_ > limits_.values) stop("more than " + std::to_string(limits_.values) + " values");
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool leave() {
    open_.pop_back();
    return true;
  }

  /// The parser's own words without its class names, line numbers and copies of the input.
  [[nodiscard]] static std::string reason(std::string_view words) {
    if (const auto prefix = words.find("] "); prefix != words.npos) words.remove_prefix(prefix + 2);
    if (const auto place = words.find(": ");
        words.starts_with("parse error") && place != words.npos)
      words.remove_prefix(place + 2);
    const auto start = words.find("; last read: ");
    if (start == words.npos) return printable(words);
    const auto expected = words.rfind("; expected ");
    const bool after = expected != words.npos && expected > start;
    return printable(words.substr(0, start)) + (after ? std::string(words.substr(expected)) : "");
  }

  [[noreturn]] void stop(const std::string& what) const {
    stop_at(static_cast<std::size_t>(seen - begin_) - (seen == begin_ ? 0 : 1), what);
  }
  [[noreturn]] void stop_at(std::size_t byte, const std::string& what) const {
    const std::string after = key_ == nullptr ? "" : ", after key " + printable(*key_);
    fail(Fault::input, std::string(where_) + ": JSON error at byte " + std::to_string(byte) + ": " +
                           what + after);
  }

  std::vector<Json*> open_;  ///< containers being filled; a parent never grows below its child
  Json* slot_ = nullptr;     ///< where the value of the last key goes
  const char* begin_;
  std::string_view where_;
  JsonLimits limits_;
  std::size_t values_ = 0;
  const std::string* key_ = nullptr;  ///< last key, for messages
};

}  // namespace detail

nlohmann::json parse_json(std::string_view text, std::string_view where, JsonLimits limits) {
  if (text.size() > limits.bytes) {
    fail(Fault::input, std::string(where) + ": larger than " + std::to_string(limits.bytes >> 20) +
                           " MiB, it has " + std::to_string(text.size()) + " bytes");
  }
  if (const auto invalid = first_invalid_utf8(text)) {
    fail(Fault::input, std::string(where) + ": not UTF-8 at byte " + std::to_string(*invalid));
  }
  // The parser would skip a byte order mark, Python's does not.
  if (text.starts_with("\xEF\xBB\xBF")) {
    fail(Fault::input, std::string(where) + ": JSON error at byte 0: a byte order mark");
  }
  // The parser takes a NUL for the end of its input, whatever follows.
  if (const auto nul = text.find('\0'); nul != text.npos) {
    fail(Fault::input,
         std::string(where) + ": JSON error at byte " + std::to_string(nul) + ": a NUL byte");
  }
  const char* const begin = text.data();
  detail::StrictBuilder builder(begin, where, limits);
  const detail::TrackedCharacter first(begin, &builder.seen);
  const detail::TrackedCharacter last(begin + text.size(), &builder.seen);
  (void)nlohmann::json::sax_parse(first, last, &builder);  // every failure has thrown
  return std::move(builder.document);
}

nlohmann::json read_json(const std::filesystem::path& path, JsonLimits limits) {
  const RegularFile file(path);
  if (file.size() > limits.bytes) {
    fail(Fault::input, shown(path) + ": larger than " + std::to_string(limits.bytes >> 20) +
                           " MiB, it has " + std::to_string(file.size()) + " bytes");
  }
  return parse_json(file.read_all(), shown(path), limits);
}

}  // namespace stamp::checkpoint
