// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/zip_end.hpp>.
#pragma once

#include <stamp/checkpoint/zip_end.hpp>

namespace stamp::checkpoint::detail {

ByteCursor ZipBytes::at(std::uint64_t position) const {
  if (position > file_.size()) {
    stop("ZIP record expected at byte " + std::to_string(position) + ", the file has " +
         std::to_string(file_.size()) + " bytes; truncated download?");
  }
  return {file_, where_, static_cast<std::size_t>(position)};
}

void ZipBytes::expect(ByteCursor& cursor, std::string_view signature, const std::string& what) {
  const std::size_t position = cursor.position();
  if (cursor.take(4, what) != signature) {
    fail(Fault::input,
         cursor.where() + ": expected " + what + " at byte " + std::to_string(position));
  }
}

ZipDirectory ZipBytes::find_directory() const {
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

bool ZipBytes::signed_as(std::uint64_t position, std::string_view signature) const {
  return position <= file_.size() && at(position).rest().starts_with(signature);
}

std::size_t ZipBytes::find_end() const {
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

ZipDirectory ZipBytes::zip64(std::size_t locator, std::uint64_t& end) const {
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

void ZipBytes::stop(const std::string& what) const { fail(Fault::input, where_ + ": " + what); }

}  // namespace stamp::checkpoint::detail
