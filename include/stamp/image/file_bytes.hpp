// SPDX-License-Identifier: Apache-2.0
// All bytes of a small regular file, without ever waiting for a pipe or a device.
// The path is opened once and only its descriptor is asked, so what was checked is what is read.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <stamp/tensor/check.hpp>
#include <string>
#include <vector>

namespace stamp::detail {

/// The path in one line for an error: control characters become '?'.
[[nodiscard]] std::string printable(const std::filesystem::path& path);

/// An open file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail_to_open(int code);

/// Reads the whole of `path`. Throws Error without the path's name (the caller knows it):
/// input: missing, unreadable, not a regular file, larger than `limit` bytes, cut while reading.
[[nodiscard]] std::vector<std::uint8_t> read_file_bytes(const std::filesystem::path& path,
                                                        Index limit);

}  // namespace stamp::detail
