// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <stamp/checkpoint/map_fault.hpp>
#include <stamp/checkpoint/memory_map.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

using stamp::checkpoint::MemoryMap;
using stamp::checkpoint::RegularFile;

std::string open_failure(const std::filesystem::path& path) {
  return files::failure_of([&] { const RegularFile file(path); });
}

TEST(RegularFile, RefusesEverythingElseWithoutBlocking) {  // docs/bad-input.md, row 58
  const files::TemporaryFolder folder;
  EXPECT_SAYS(open_failure(folder.path()), "not a regular file, it is a directory");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_SAYS(open_failure(folder / "fifo"), "not a regular file, it is a FIFO");
  EXPECT_SAYS(open_failure("/dev/zero"), "not a regular file, it is a device");
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_SAYS(open_failure(folder / "loop"), "not a regular file");
  EXPECT_SAYS(open_failure(folder / "absent"), "absent: no such file");
  EXPECT_SAYS(open_failure(folder / "new\nline"), "new\\x0aline: no such file");
  const auto secret = files::write(folder / "secret", "x");
  ::chmod(secret.c_str(), 0);
  if (::access(secret.c_str(), R_OK) != 0) {  // root may read everything
    EXPECT_SAYS(open_failure(secret), "secret: permission denied");
  }
}

TEST(RegularFile, PermissionDeniedForOrdinaryUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "covered above";
  const files::TemporaryFolder folder;
  const auto secret = files::write(folder / "secret", "x");
  ::chmod(secret.c_str(), 0);
  ::chmod(folder.path().c_str(), 0755);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::setuid(65534) == 0;
    const std::string sentence = dropped ? open_failure(secret) : "cannot drop rights";
    ::_exit(sentence.find("permission denied") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(MemoryMap, ShowsTheBytesAndSurvivesMoving) {
  const files::TemporaryFolder folder;
  MemoryMap map{RegularFile(files::write(folder / "f", "hello"))};
  const std::byte* address = map.bytes().data();
  const MemoryMap moved = std::move(map);
  EXPECT_EQ(moved.bytes().data(), address);
  EXPECT_EQ(moved.bytes().size(), 5U);
  EXPECT_EQ(static_cast<char>(moved.bytes()[4]), 'o');
  const MemoryMap empty{RegularFile(files::write(folder / "empty", ""))};
  EXPECT_TRUE(empty.bytes().empty());
}

TEST(MemoryMap, NoticesThatTheFileChanged) {
  const files::TemporaryFolder folder;
  const auto path = files::write(folder / "f", std::string(100, 'x'));
  const MemoryMap map{RegularFile(path)};
  map.check_unchanged();
  std::filesystem::resize_file(path, 50);
  EXPECT_SAYS(files::failure_of([&] { map.check_unchanged(); }), "file changed while loading");
}

TEST(MemoryMapDeathTest, TruncatedFileEndsWithASentence) {
  const files::TemporaryFolder folder;
  const auto path = files::write(folder / "weights", std::string(1 << 16, 'x'));
  const auto touch_lost_page = [&] {
    stamp::checkpoint::report_map_faults();
    const MemoryMap map{RegularFile(path)};
    std::filesystem::resize_file(path, 10);
    const volatile std::byte* bytes = map.bytes().data();
    ::_exit(bytes[60'000] == std::byte{1} ? 1 : 0);
  };
  EXPECT_EXIT(touch_lost_page(), testing::ExitedWithCode(4), "weights: file changed while in use");
}

}  // namespace
