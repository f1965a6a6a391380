// SPDX-License-Identifier: Apache-2.0
// The directory of a ZIP file whose members are stored, not compressed: where the bytes of each
// member lie, so that they are used in place. Mirrors PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.
#pragma once

#include <stamp/checkpoint/utf8.hpp>
#include <stamp/checkpoint/zip_end.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

/// One member; `begin` and `end` are bytes from the file's start.
struct ZipMember {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] std::size_t bytes() const { return end - begin; }
};

/// Bounds on what an untrusted directory may ask for.
struct ZipLimits {
  std::size_t members = 131'072;
  std::size_t name_bytes = 4096;
};

/// The members of a whole ZIP file in memory, in the order of their bytes. Refused with
/// Error{input} "WHERE: ...": what is compressed, encrypted, overlapping, listed twice or told in
/// two ways. Checksums are not looked at: torch.save can leave them out, and they would read every
/// byte.
[[nodiscard]] std::vector<ZipMember> read_zip_directory(std::span<const std::byte> file,
                                                        std::string where, ZipLimits limits = {});

}  // namespace stamp::checkpoint
