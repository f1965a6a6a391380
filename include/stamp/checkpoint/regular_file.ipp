// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/regular_file.hpp>.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stamp/checkpoint/regular_file.hpp>

namespace stamp::checkpoint {

std::string shown(const std::filesystem::path& path) { return printable(path.native(), 4096); }

RegularFile::RegularFile(std::filesystem::path path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a FIFO must return at once; it changes nothing for regular files.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) fail_open(errno);
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) {
    const int cause = errno;
    ::close(descriptor_);
    fail_open(cause);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail(Fault::input, shown(path_) + ": not a regular file, it is " + kind(status.st_mode));
  }
  size_ = static_cast<std::size_t>(status.st_size);
  changed_ = status.st_mtim;
}

void RegularFile::check_unchanged() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) fail_open(errno);
  const bool same_time =
      status.st_mtim.tv_sec == changed_.tv_sec && status.st_mtim.tv_nsec == changed_.tv_nsec;
  if (static_cast<std::size_t>(status.st_size) != size_ || !same_time) {
    fail(Fault::input, shown(path_) + ": file changed while loading, it had " +
                           std::to_string(size_) + " bytes and now has " +
                           std::to_string(status.st_size));
  }
}

std::string RegularFile::read_front(std::size_t most) const {
  std::string bytes(std::min(most, size_), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Fault::input, shown(path_) + ": cannot be read, " + std::strerror(errno));
    if (got == 0) fail(Fault::input, shown(path_) + ": file changed while loading, it shrank");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

void RegularFile::fail_open(int cause) const {
  std::string reason = std::strerror(cause);
  if (cause == ENOENT || cause == ENOTDIR) reason = "no such file";
  if (cause == EACCES || cause == EPERM) reason = "permission denied";
  if (cause == ELOOP) reason = "not a regular file, it is a loop of symbolic links";
  if (cause == ENXIO || cause == ENODEV) reason = "not a regular file, it is a socket or device";
  const bool exhausted = cause == EMFILE || cause == ENFILE || cause == ENOMEM;
  fail(exhausted ? Fault::resource : Fault::input, shown(path_) + ": " + reason);
}

std::string RegularFile::kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return S_ISSOCK(mode) ? "a socket" : "something else";
}

}  // namespace stamp::checkpoint
