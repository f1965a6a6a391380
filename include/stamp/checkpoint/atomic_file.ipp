// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/atomic_file.hpp>.
#pragma once

#include <cerrno>
#include <cstring>
#include <stamp/checkpoint/atomic_file.hpp>
#include <string>

namespace stamp::checkpoint {

std::filesystem::path partial_of(const std::filesystem::path& path) {
  auto partial = path;
  return partial.replace_filename("." + path.filename().native() + ".partial");
}

AtomicFile::AtomicFile(std::filesystem::path path, std::size_t total)
    : path_(std::move(path)), partial_(partial_of(path_)), total_(total) {
  if (!path_.has_filename()) fail(Fault::usage, shown(path_) + ": names no file");
  struct stat there{};
  if (::stat(path_.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    fail(Fault::resource, shown(path_) + ": cannot be written, it is not a regular file");
  }
  open_partial();
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) stop(errno);
    written_ += static_cast<std::size_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) stop(errno);
  if (::rename(partial_.c_str(), path_.c_str()) != 0) stop(errno);
  // The name is taken: from here on nothing may be unlinked.
  const int finished = descriptor_;
  descriptor_ = -1;
  if (::close(finished) != 0 && errno != EINTR) stop(errno);
  sync_folder();
}

void AtomicFile::open_partial() {
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int descriptor = ::open(partial_.c_str(), flags, 0666);
    if (descriptor < 0) stop(errno);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor);
      fail(Fault::resource, shown(path_) + ": is being written by another process");
    }
    struct stat mine{}, named{};
    const bool known = ::fstat(descriptor, &mine) == 0;
    // The former owner may have renamed or removed it between our open and our lock.
    const bool ours = known && ::lstat(partial_.c_str(), &named) == 0 &&
                      mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
    if (!ours) {
      ::close(descriptor);
      continue;
    }
    // A second link would be somebody else's file: do not empty it.
    if (!S_ISREG(mine.st_mode) || mine.st_nlink != 1 || ::ftruncate(descriptor, 0) != 0) {
      ::close(descriptor);
      fail(Fault::resource, shown(partial_) + ": cannot be used for writing, remove it");
    }
    descriptor_ = descriptor;
    return;
  }
  fail(Fault::resource, shown(path_) + ": others keep writing the same file");
}

void AtomicFile::sync_folder() const {
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a folder that may be written but not read
  const int result = ::fsync(descriptor);
  const int cause = errno;
  ::close(descriptor);
  if (result != 0 && (cause == EIO || cause == ENOSPC || cause == EDQUOT)) stop(cause);
}

void AtomicFile::stop(int cause) const {
  if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
    const std::string total = total_ == 0 ? "" : " of " + std::to_string(total_);
    fail(Fault::resource, "no space left on " + shown(path_) + ": " + std::to_string(written_) +
                              total + " bytes written");
  }
  std::string reason = std::strerror(cause);
  if (cause == ENOENT || cause == ENOTDIR) reason = "its folder does not exist";
  if (cause == EACCES || cause == EPERM) reason = "permission denied";
  if (cause == EROFS) reason = "read-only file system";
  fail(Fault::resource, shown(path_) + ": cannot be written, " + reason);
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path, bytes.size());
  file.write(bytes);
  file.commit();
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace stamp::checkpoint
