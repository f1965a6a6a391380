// SPDX-License-Identifier: Apache-2.0
// The fixtures of tests/goldens/images and the records that reference/pytorch/image_goldens.py
// wrote.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <stamp/image/crc32.hpp>
#include <stamp/image/file_bytes.hpp>
#include <stamp/image/read.hpp>
#include <string>

namespace stamp::test {

inline const std::filesystem::path goldens = STAMP_SOURCE_DIR "/tests/goldens/images";

using FileBytes = std::vector<std::uint8_t>;

inline FileBytes golden_bytes(const std::string& name) {
  return detail::read_file_bytes(goldens / name, 1 << 20);
}
/// The stored pixels, not turned: what Image.open(path).convert("RGB") gives.
inline Image golden_image(const std::string& name) {
  return read_image(goldens / name, {.exif = Exif::ignore});
}
inline std::uint32_t hexadecimal(std::istream& fields) {
  std::uint32_t value = 0;
  fields >> std::hex >> value >> std::dec;
  return value;
}
/// Calls `check` with every line of a record file; returns how many there were.
inline int for_each_record(const std::string& file,
                           const std::function<void(std::istringstream&)>& check) {
  std::ifstream records(goldens / file);
  int count = 0;
  for (std::string line; std::getline(records, line); ++count) {
    SCOPED_TRACE(line);
    std::istringstream fields(line);
    check(fields);
  }
  return count;
}

/// The sentence of the Error that `act` throws, with its exit code in front; empty if none.
inline std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.fault())) + " " + error.what();
  }
  return "";
}

}  // namespace stamp::test
