// SPDX-License-Identifier: Apache-2.0
// A file that is opened once, is known to be a regular file, and is then only used by descriptor,
// so that nothing can be swapped in between the check and the use.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <utility>

namespace stamp::checkpoint {

/// A path as it is shown in messages: one line, whatever its bytes are.
[[nodiscard]] std::string shown(const std::filesystem::path& path);

/// Read-only regular file; closes itself. Directories, FIFOs, sockets and devices are refused
/// without ever blocking on them.
class RegularFile {
 public:
  /// Throws Error{input}: "PATH: no such file", "... permission denied", "... not a regular file".
  explicit RegularFile(std::filesystem::path path);
  RegularFile(RegularFile&& other) noexcept
      : path_(std::move(other.path_)),
        descriptor_(std::exchange(other.descriptor_, -1)),
        size_(other.size_),
        changed_(other.changed_) {}
  RegularFile& operator=(RegularFile&&) = delete;
  ~RegularFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  /// Bytes when it was opened.
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Throws Error{input} "file changed while loading" when size or time of writing moved.
  void check_unchanged() const;

  /// Up to `most` bytes from the front; `read_all` where the size has been judged before.
  [[nodiscard]] std::string read_front(std::size_t most) const;
  [[nodiscard]] std::string read_all() const { return read_front(size_); }

 private:
  [[noreturn]] void fail_open(int cause) const;

  [[nodiscard]] static std::string kind(mode_t mode);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
  timespec changed_{};
};

}  // namespace stamp::checkpoint
