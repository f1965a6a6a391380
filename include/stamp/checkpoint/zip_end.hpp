// SPDX-License-Identifier: Apache-2.0
// The records at the end of a ZIP file, also of one beyond 4 GiB: where its directory lies.
// Mirrors PKWARE's APPNOTE 6.3, sections 4.3.14 to 4.3.16.
#pragma once

#include <cstdint>
#include <span>
#include <stamp/checkpoint/byte_cursor.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace stamp::checkpoint::detail {

/// A field of 16 or 32 bits that stands in a ZIP64 record instead.
inline constexpr std::uint16_t in_zip64_16 = 0xFFFF;
inline constexpr std::uint32_t in_zip64_32 = 0xFFFFFFFF;

/// As the end records tell; nothing but its place is checked yet.
struct ZipDirectory {
  std::uint64_t members = 0;
  std::uint64_t bytes = 0;
  std::uint64_t begin = 0;
  [[nodiscard]] std::uint64_t end() const { return begin + bytes; }
};

/// The bytes of a ZIP file, where records are found by position and signature.
class ZipBytes {
 public:
  ZipBytes(std::span<const std::byte> file, std::string where)
      : file_(file), where_(std::move(where)) {}

  /// Reads from `position` on, which may be any number.
  [[nodiscard]] ByteCursor at(std::uint64_t position) const {
    if (position > file_.size()) {
      stop("ZIP record expected at byte " + std::to_string(position) + ", the file has " +
           std::to_string(file_.size()) + " bytes; truncated download?");
    }
    return {file_, where_, static_cast<std::size_t>(position)};
  }
  /// Reads a signature.
  static void expect(ByteCursor& cursor, std::string_view signature, const std::string& what) {
    const std::size_t position = cursor.position();
    if (cursor.take(4, what) != signature) {
      fail(Fault::input,
           cursor.where() + ": expected " + what + " at byte " + std::to_string(position));
    }
  }

  /// Throws Error{input}: no end record, two that differ, or a directory that does not end there.
  [[nodiscard]] ZipDirectory find_directory() const {
    const std::size_t end = find_end();
    ByteCursor cursor = at(end + 4);
    const auto disk = cursor.number<std::uint16_t>("ZIP end");
    const auto first_disk = cursor.number<std::uint16_t>("ZIP end");
    const auto here = cursor.number<std::uint16_t>("ZIP end");
    const auto members = cursor.number<std::uint16_t>("ZIP end");
    const auto bytes = cursor.number<std::uint32_t>("ZIP end");
    const auto begin = cursor.number<std::uint32_t>("ZIP end");
    ZipDirectory directory{members, bytes, begin};
    std::uint64_t expected_end = end;
    constexpr std::size_t locator = 20;
    if (end >= locator && signed_as(end - locator, "PK\x06\x07")) {
      directory = zip64(end - locator, expected_end);
      // A reader that knows no ZIP64 must not see another directory.
      const bool same = (members == in_zip64_16 || members == directory.members) &&
                        (bytes == in_zip64_32 || bytes == directory.bytes) &&
                        (begin == in_zip64_32 || begin == directory.begin);
      if (!same) stop("ZIP and ZIP64 end records tell different directories");
    } else if (members == in_zip64_16 || bytes == in_zip64_32 || begin == in_zip64_32) {
      stop("ZIP end record points to a ZIP64 record, there is none");
    }
    const bool split = (disk != 0 && disk != in_zip64_16) ||
                       (first_disk != 0 && first_disk != in_zip64_16) || here != members;
    if (split) stop("ZIP file in several parts, expected one");
    if (directory.begin > expected_end || directory.bytes != expected_end - directory.begin) {
      stop("ZIP directory of " + std::to_string(directory.bytes) + " bytes at byte " +
           std::to_string(directory.begin) + " expected to end at " + std::to_string(expected_end));
    }
    return directory;
  }

 private:
  [[nodiscard]] bool signed_as(std::uint64_t position, std::string_view signature) const {
    return position <= file_.size() && at(position).rest().starts_with(signature);
  }
  /// The end record is the last thing in the file, behind it only a comment of the length it tells.
  [[nodiscard]] std::size_t find_end() const {
    constexpr std::size_t least = 22, longest_comment = 0xFFFF;
    for (std::size_t comment = 0; comment <= longest_comment; ++comment) {
      if (file_.size() < least + comment) break;
      const std::size_t position = file_.size() - least - comment;
      if (!signed_as(position, "PK\x05\x06")) continue;
      if (at(position + 20).number<std::uint16_t>("ZIP comment") == comment) return position;
    }
    stop("ZIP file without its end record, the file has " + std::to_string(file_.size()) +
         " bytes; truncated download?");
  }

  /// `end` becomes where the ZIP64 end record begins, for there the directory must end.
  [[nodiscard]] ZipDirectory zip64(std::size_t locator, std::uint64_t& end) const {
    ByteCursor cursor = at(locator + 4);
    cursor.skip(4, "ZIP64 locator");
    end = cursor.number<std::uint64_t>("ZIP64 locator");
    ByteCursor record = at(end);
    expect(record, "PK\x06\x06", "ZIP64 end record");
    const auto length = record.number<std::uint64_t>("ZIP64 end");
    if (length < 44 || record.position() > locator || length != locator - record.position()) {
      stop("ZIP64 end record of " + std::to_string(length) + " bytes expected to end at " +
           std::to_string(locator));
    }
    record.skip(4, "ZIP64 end");
    const auto disks = record.number<std::uint64_t>("ZIP64 end");
    const auto here = record.number<std::uint64_t>("ZIP64 end");
    ZipDirectory directory;
    directory.members = record.number<std::uint64_t>("ZIP64 end");
    directory.bytes = record.number<std::uint64_t>("ZIP64 end");
    directory.begin = record.number<std::uint64_t>("ZIP64 end");
    if (disks != 0 || here != directory.members) stop("ZIP file in several parts, expected one");
    return directory;
  }

  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": " + what);
  }

  std::span<const std::byte> file_;
  std::string where_;
};

}  // namespace stamp::checkpoint::detail
