// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all: written beside their place, synced, then renamed.
// A process that dies leaves the old file, and at most one ".NAME.partial" that the next writer of
// the same file takes over.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <span>
#include <stamp/checkpoint/regular_file.hpp>
#include <stamp/tensor/check.hpp>
#include <string_view>

namespace stamp::checkpoint {

/// The name under which the file at `path` is written.
[[nodiscard]] std::filesystem::path partial_of(const std::filesystem::path& path);

/// An output file that is being written. Without `commit` it leaves nothing behind.
class AtomicFile {
 public:
  /// `total`: bytes that will be written, for the message when space runs out; 0 if unknown.
  /// Throws Error{resource} when the folder cannot be written to, or when what stands at `path` is
  /// not a regular file (a device must not be replaced by a rename).
  explicit AtomicFile(std::filesystem::path path, std::size_t total = 0);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (descriptor_ < 0) return;
    ::unlink(partial_.c_str());
    ::close(descriptor_);
  }

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

  /// After this the file stands under its name, and survives a loss of power.
  void commit();

 private:
  /// The lock tells a live writer of the same file from the remains of a dead one.
  void open_partial();

  void sync_folder() const;

  [[noreturn]] void stop(int cause) const;

  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::size_t total_ = 0;
  std::size_t written_ = 0;
  int descriptor_ = -1;
};

/// The whole of `bytes` at `path`, or an error and what was there before.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace stamp::checkpoint
