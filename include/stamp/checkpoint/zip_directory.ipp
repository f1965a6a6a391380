// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/zip_directory.hpp>.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <stamp/checkpoint/zip_directory.hpp>
#include <string_view>

namespace stamp::checkpoint {

namespace detail {

/// Reads one directory; a class only so that the file and its name need no passing around.
class ZipReader {
 public:
  ZipReader(std::span<const std::byte> file, std::string where, ZipLimits limits)
      : bytes_(file, where), where_(std::move(where)), limits_(limits) {}

  [[nodiscard]] std::vector<ZipMember> read() const {
    const ZipDirectory directory = bytes_.find_directory();
    if (directory.members > limits_.members || directory.members > directory.bytes / least_header) {
      stop(
          "ZIP directory of " + std::to_string(directory.bytes) + " bytes lists " +
          std::to_string(directory.members) + " members, at most " +
          std::to_string(std::min<std::uint64_t>(limits_.members, directory.bytes / least_header)));
    }
    ByteCursor cursor = bytes_.at(directory.begin);
    std::vector<Placed> placed;
    std::set<std::string, std::less<>> names;
    for (std::uint64_t count = 0; count < directory.members; ++count) {
      placed.push_back(member(cursor, directory.begin));
      const std::string& name = placed.back().member.name;
      if (!names.insert(name).second) stop("ZIP member " + printable(name) + " stands twice");
    }
    if (cursor.position() != directory.end()) {
      stop("ZIP directory expected to end at byte " + std::to_string(directory.end()) +
           ", its members end at " + std::to_string(cursor.position()));
    }
    return in_order(std::move(placed));
  }

 private:
  static constexpr std::size_t least_header = 46;
  static constexpr std::uint16_t sizes_follow = 0x08, encrypted = 0x01;

  struct Placed {
    ZipMember member;
    std::size_t header = 0;  ///< where its local header begins
  };
  struct Sizes {
    std::uint64_t stored = 0;
    std::uint64_t original = 0;
    std::uint64_t header = 0;
  };

  [[nodiscard]] Placed member(ByteCursor& cursor, std::uint64_t directory) const {
    ZipBytes::expect(cursor, "PK\x01\x02", "ZIP directory entry");
    cursor.skip(4, "ZIP entry");
    const auto flags = cursor.number<std::uint16_t>("ZIP entry");
    const auto method = cursor.number<std::uint16_t>("ZIP entry");
    cursor.skip(8, "ZIP entry");  // time, checksum: torch.save may leave the checksum out
    Sizes sizes;
    sizes.stored = cursor.number<std::uint32_t>("ZIP entry");
    sizes.original = cursor.number<std::uint32_t>("ZIP entry");
    const auto name_bytes = cursor.number<std::uint16_t>("ZIP entry");
    const auto extra_bytes = cursor.number<std::uint16_t>("ZIP entry");
    const auto comment_bytes = cursor.number<std::uint16_t>("ZIP entry");
    cursor.skip(8, "ZIP entry");
    sizes.header = cursor.number<std::uint32_t>("ZIP entry");
    if (name_bytes > limits_.name_bytes) {
      stop("ZIP member name of " + std::to_string(name_bytes) + " bytes, at most " +
           std::to_string(limits_.name_bytes));
    }
    const std::string_view name = cursor.take(name_bytes, "ZIP member name");
    const std::string label = "ZIP member " + printable(name);
    widen(sizes, cursor.take(extra_bytes, "ZIP extra field"), label);
    cursor.skip(comment_bytes, "ZIP comment");

    if ((flags & encrypted) != 0) stop(label + ": is encrypted");
    if (method != 0) {
      stop(label + ": is compressed (method " + std::to_string(method) +
           "), expected stored, as torch.save writes it");
    }
    if (sizes.stored != sizes.original) {
      stop(label + ": stored as " + std::to_string(sizes.stored) + " bytes, holds " +
           std::to_string(sizes.original) + ", expected the same");
    }
    const std::size_t begin = data_of(name, sizes, label);
    if (begin > directory || sizes.stored > directory - begin) {
      stop(label + ": " + std::to_string(sizes.stored) + " bytes at byte " + std::to_string(begin) +
           " reach into the directory at " + std::to_string(directory));
    }
    return {{std::string(name), begin, begin + static_cast<std::size_t>(sizes.stored)},
            static_cast<std::size_t>(sizes.header)};
  }

  /// Takes the numbers that do not fit 32 bits from the ZIP64 extra field.
  void widen(Sizes& sizes, std::string_view extra, const std::string& label) const {
    ByteCursor fields(std::as_bytes(std::span(extra)), where_ + ": " + label);
    std::string_view zip64;
    while (fields.left() >= 4) {
      const auto id = fields.number<std::uint16_t>("ZIP extra field");
      const auto length = fields.number<std::uint16_t>("ZIP extra field");
      const std::string_view field = fields.take(length, "ZIP extra field");
      if (id == 1) zip64 = field;
    }
    ByteCursor wide(std::as_bytes(std::span(zip64)), where_ + ": " + label);
    for (std::uint64_t* number : {&sizes.original, &sizes.stored, &sizes.header}) {
      if (*number == in_zip64_32) *number = wide.number<std::uint64_t>("ZIP64 extra field");
    }
  }

  /// Where a member's bytes begin. Only its local header tells: torch.save pads there, so that
  /// tensors are aligned, and not in the directory.
  [[nodiscard]] std::size_t data_of(std::string_view name, const Sizes& sizes,
                                    const std::string& label) const {
    ByteCursor local = bytes_.at(sizes.header);
    ZipBytes::expect(local, "PK\x03\x04", "local header of " + label);
    local.skip(2, "ZIP header");
    const auto flags = local.number<std::uint16_t>("ZIP header");
    const auto method = local.number<std::uint16_t>("ZIP header");
    local.skip(8, "ZIP header");
    const auto stored = local.number<std::uint32_t>("ZIP header");
    local.skip(4, "ZIP header");
    const auto name_bytes = local.number<std::uint16_t>("ZIP header");
    const auto extra_bytes = local.number<std::uint16_t>("ZIP header");
    if (local.take(name_bytes, "ZIP member name") != name) {
      stop(label + ": its local header tells another name");
    }
    const bool told = (flags & sizes_follow) == 0 && stored != in_zip64_32;
    if (method != 0 || (told && stored != sizes.stored)) {
      stop(label + ": its local header tells another size or method");
    }
    local.skip(extra_bytes, "ZIP extra field");
    return local.position();
  }

  [[nodiscard]] std::vector<ZipMember> in_order(std::vector<Placed> placed) const {
    std::sort(placed.begin(), placed.end(),
              [](const Placed& a, const Placed& b) { return a.header < b.header; });
    std::vector<ZipMember> members;
    std::size_t free = 0;
    for (Placed& next : placed) {
      if (next.header < free) {
        stop("ZIP member " + printable(next.member.name) + ": at byte " +
             std::to_string(next.header) + ", overlaps " + printable(members.back().name) +
             ", which ends at " + std::to_string(free));
      }
      free = next.member.end;
      members.push_back(std::move(next.member));
    }
    return members;
  }

  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": " + what);
  }

  ZipBytes bytes_;
  std::string where_;
  ZipLimits limits_;
};

}  // namespace detail

std::vector<ZipMember> read_zip_directory(std::span<const std::byte> file, std::string where,
                                          ZipLimits limits) {
  return detail::ZipReader(file, std::move(where), limits).read();
}

}  // namespace stamp::checkpoint
