// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/file_bytes.hpp>.
#pragma once

#include <cerrno>
#include <cstring>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/image/file_bytes.hpp>

namespace stamp::detail {

std::string printable(const std::filesystem::path& path) {
  return checkpoint::printable(path.native(), 4096);
}

void fail_to_open(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      fail(Fault::input, "permission denied");
    case ELOOP:
      fail(Fault::input, "not a regular file (a loop of symbolic links)");
    case ENXIO:
      fail(Fault::input, "not a regular file (a socket or a device)");
    case EMFILE:
    case ENFILE:
      fail(Fault::resource, "cannot be opened: too many open files");
    default:
      fail(Fault::input, std::string("cannot be opened: ") + std::strerror(code));
  }
}

std::vector<std::uint8_t> read_file_bytes(const std::filesystem::path& path, Index limit) {
  // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.number() < 0) fail_to_open(errno);

  struct stat status = {};
  if (::fstat(file.number(), &status) != 0) fail_to_open(errno);
  if (S_ISDIR(status.st_mode)) fail(Fault::input, "not a regular file (a directory)");
  if (!S_ISREG(status.st_mode)) fail(Fault::input, "not a regular file (a pipe or a device)");
  if (status.st_size > limit) {
    fail(Fault::input, "file of " + std::to_string(status.st_size) + " bytes over limit " +
                           std::to_string(limit));
  }

  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.number(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Fault::input, std::string("cannot be read: ") + std::strerror(errno));
    if (got == 0) {
      fail(Fault::input, "truncated while it was read: " + std::to_string(filled) + " of " +
                             std::to_string(bytes.size()) + " bytes");
    }
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace stamp::detail
