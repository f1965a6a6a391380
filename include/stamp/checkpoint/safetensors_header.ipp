// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/safetensors_header.hpp>.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stamp/checkpoint/json.hpp>
#include <stamp/checkpoint/safetensors_header.hpp>
#include <string_view>

namespace stamp::checkpoint {

namespace detail {

/// Reads one header; a class only so that the limits and the file's name need no passing around.
class HeaderReader {
 public:
  using Json = nlohmann::json;

  HeaderReader(std::span<const std::byte> file, std::string where, SafetensorsLimits limits)
      : file_(reinterpret_cast<const char*>(file.data()), file.size()),
        where_(std::move(where)),
        limits_(limits) {}

  [[nodiscard]] SafetensorsHeader read() {
    const Json json = document();
    SafetensorsHeader header;
    for (const auto& [name, value] : json.items()) {
      if (name == "__metadata__") {
        header.metadata = metadata(value);
      } else {
        if (header.tensors.size() == limits_.tensors) {
          stop("more than " + std::to_string(limits_.tensors) + " tensors");
        }
        header.tensors.push_back(entry(name, value));
      }
    }
    check_layout(header.tensors, where_, data_, file_.size());
    return header;
  }

 private:
  /// Magic numbers first: they read as absurd header lengths, which would mislead people.
  void refuse_other_formats() const {
    if (file_.starts_with("version https://git-lfs")) {
      const auto at = file_.find("\nsize ");
      const auto line =
          at == file_.npos ? "?" : file_.substr(at + 6, file_.find('\n', at + 6) - at - 6);
      stop("this is a git-lfs pointer; fetch the real file of " + printable(line, 20) + " bytes");
    }
    const bool json_follows = file_.size() > 8 && (file_[8] == '{' || is_space(file_[8]));
    const bool zip = file_.starts_with("PK\x03\x04");
    const bool pickle = file_.size() > 1 && file_[0] == '\x80' && file_[1] >= 2 && file_[1] <= 5;
    if ((zip || pickle) && !json_follows) {
      stop("this is a PyTorch pickle; expected safetensors (convert with `stamp convert`)");
    }
  }

  /// What a file is whose first bytes are no header's length; empty where they do not tell.
  [[nodiscard]] std::string_view other_kind() const {
    if (file_.starts_with("\x89PNG")) return "a PNG picture";
    if (file_.starts_with("\xFF\xD8\xFF")) return "a JPEG picture";
    if (file_.starts_with("GIF8")) return "a GIF picture";
    const auto first = std::find_if_not(file_.begin(), file_.end(), is_space);
    return first != file_.end() && (*first == '{' || *first == '[') ? "JSON" : "";
  }

  [[nodiscard]] Json document() {
    if (file_.size() >= 2) refuse_other_formats();
    if (file_.size() < 8) {
      stop("header too small, the file has " + std::to_string(file_.size()) + " bytes, need 8");
    }
    std::uint64_t length = 0;
    for (std::size_t byte = 8; byte-- > 0;) {
      length = length << 8 | static_cast<unsigned char>(file_[byte]);
    }
    if (length > limits_.header_bytes) {
      if (const auto kind = other_kind(); !kind.empty()) {
        stop("this is " + std::string(kind) + "; expected a file of tensors");
      }
      stop("header length " + std::to_string(length) + " exceeds " +
           std::to_string(limits_.header_bytes));
    }
    if (length > file_.size() - 8) {
      stop("header length " + std::to_string(length) + " beyond end of file (" +
           std::to_string(file_.size()) + " bytes); truncated download?");
    }
    data_ = 8 + static_cast<std::size_t>(length);
    const std::string_view text = file_.substr(8, data_ - 8);
    // Whitespace before the object is valid: writers pad so that the data starts on a page.
    const auto first = std::find_if_not(text.begin(), text.end(), is_space);
    const JsonLimits limits{.bytes = limits_.header_bytes, .values = 24 * limits_.tensors};
    if (first == text.end() || *first == '{') return parse_json(text, where_ + ": header", limits);
    std::string reason = "header is not a JSON object, byte " + hexadecimal(*first) + " at " +
                         std::to_string(8 + (first - text.begin()));
    try {
      (void)parse_json(text, "header", limits);
    } catch (const Error& error) {
      reason += std::string("; ") + error.what();
    }
    stop(reason);
  }

  [[nodiscard]] std::map<std::string, std::string> metadata(const Json& value) const {
    if (!value.is_object()) stop("__metadata__ must be an object whose values are strings");
    std::map<std::string, std::string> strings;
    std::size_t bytes = 0;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) stop("metadata value for " + printable(key) + " must be a string");
      bytes += key.size() + text.get_ref<const std::string&>().size();
      strings.emplace(key, text.get<std::string>());
    }
    if (bytes > limits_.metadata_bytes) {
      stop("metadata of " + std::to_string(bytes) + " bytes, at most " +
           std::to_string(limits_.metadata_bytes));
    }
    return strings;
  }

  [[nodiscard]] TensorEntry entry(const std::string& name, const Json& value) const {
    const std::string label = printable(name);
    if (name.size() > limits_.name_bytes) {
      stop(label + ": name of " + std::to_string(name.size()) + " bytes, at most " +
           std::to_string(limits_.name_bytes));
    }
    if (!value.is_object()) stop(label + ": entry must be an object");
    TensorEntry entry;
    entry.name = name;
    entry.dtype = dtype(label, member(label, value, "dtype"));
    const Json& shape = member(label, value, "shape");
    if (!shape.is_array()) stop(label + ": shape must be a list");
    if (shape.size() > limits_.rank) {
      stop(label + ": rank " + std::to_string(shape.size()) + " > " + std::to_string(limits_.rank));
    }
    for (const Json& extent : shape) {
      if (!extent.is_number_unsigned()) {
        stop(label + ": shape entry not a non-negative integer, found " +
             printable(extent.dump(), 40));
      }
      if (extent.get<std::uint64_t>() > std::uint64_t{1} << 62) {
        stop(label + ": element count overflows, shape entry " + extent.dump());
      }
      entry.shape.push_back(extent.get<Index>());
    }
    const Json& offsets = member(label, value, "data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      stop(label + ": data_offsets must be two non-negative integers, found " +
           printable(offsets.dump(), 80));
    }
    entry.begin = offsets[0].get<std::size_t>();
    entry.end = offsets[1].get<std::size_t>();
    return entry;
  }

  [[nodiscard]] std::string dtype(const std::string& label, const Json& value) const {
    if (!value.is_string()) stop(label + ": dtype must be a string");
    const auto& name = value.get_ref<const std::string&>();
    const auto bits = bits_of(name);
    // Types of whole bytes may stand in a file that nobody computes from; the others are refused.
    if (!bits || *bits % 8 != 0) {
      stop("dtype " + printable(name, 40) + " of " + label +
           (bits ? " unsupported, " : " unknown, ") + supported_list());
    }
    return name;
  }

  [[nodiscard]] const Json& member(const std::string& label, const Json& value,
                                   const char* name) const {
    const auto found = value.find(name);
    if (found == value.end()) stop(label + ": " + name + " absent");
    return *found;
  }
  [[nodiscard]] static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  }
  [[nodiscard]] static std::string hexadecimal(char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
  }
  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": " + what);
  }

  std::string_view file_;
  std::string where_;
  SafetensorsLimits limits_;
  std::size_t data_ = 0;  ///< where the tensors' bytes begin
};

}  // namespace detail

SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::string where,
                                          SafetensorsLimits limits) {
  return detail::HeaderReader(file, std::move(where), limits).read();
}

}  // namespace stamp::checkpoint
