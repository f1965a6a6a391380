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
  [[nodiscard]] ByteCursor at(std::uint64_t position) const;
  /// Reads a signature.
  static void expect(ByteCursor& cursor, std::string_view signature, const std::string& what);

  /// Throws Error{input}: no end record, two that differ, or a directory that does not end there.
  [[nodiscard]] ZipDirectory find_directory() const;

 private:
  [[nodiscard]] bool signed_as(std::uint64_t position, std::string_view signature) const;
  /// The end record is the last thing in the file, behind it only a comment of the length it tells.
  [[nodiscard]] std::size_t find_end() const;

  /// `end` becomes where the ZIP64 end record begins, for there the directory must end.
  [[nodiscard]] ZipDirectory zip64(std::size_t locator, std::uint64_t& end) const;

  [[noreturn]] void stop(const std::string& what) const;

  std::span<const std::byte> file_;
  std::string where_;
};

}  // namespace stamp::checkpoint::detail
