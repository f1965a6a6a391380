// SPDX-License-Identifier: Apache-2.0
// docs/bad-input.md, fault 2 and 3: outputs appear whole or not at all.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <stamp/checkpoint/atomic_file.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

using stamp::checkpoint::AtomicFile;
using stamp::checkpoint::write_file_atomically;

/// How many entries a folder has: nothing may be left behind.
std::ptrdiff_t entries(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

/// Runs `action` in a child and returns its exit status; limits set there end with it.
template <class Action>
int in_child(Action action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(AtomicFile, ReplacesWhole) {
  const files::TemporaryFolder folder;
  const auto path = folder / "result.json";
  write_file_atomically(path, "old");
  EXPECT_EQ(files::read(path), "old");
  {
    AtomicFile file(path);
    file.write("ne");
    EXPECT_EQ(files::read(path), "old") << "visible only when it is whole";
    file.write("w");
    file.commit();
  }
  EXPECT_EQ(files::read(path), "new");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const files::TemporaryFolder folder;
  const auto path = folder / "f";
  write_file_atomically(path, "old");
  {
    AtomicFile(path).write("half");
  }
  EXPECT_EQ(files::read(path), "old");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(AtomicFile, SaysWhyItCannotWrite) {
  const files::TemporaryFolder folder;
  const auto says = [](const std::filesystem::path& path) {
    return files::failure_of([&] { write_file_atomically(path, "x"); }, stamp::Fault::resource);
  };
  EXPECT_SAYS(says(folder / "absent" / "f"),
              "absent/f: cannot be written, its folder does not exist");
  EXPECT_SAYS(says("/dev/null"), "/dev/null: cannot be written, it is not a regular file");
  EXPECT_SAYS(says(folder.path()), "cannot be written, it is not a regular file");
  EXPECT_SAYS(says("/proc/f"), "/proc/f: cannot be written");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, SpaceRunsOut) {
  const files::TemporaryFolder folder;
  const auto path = folder / "f";
  write_file_atomically(path, "old");
  // A limit on the file's size is the full disk that needs no rights: one short write, then EFBIG.
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string sentence = files::failure_of(
        [&] { write_file_atomically(path, std::string(5000, 'x')); }, stamp::Fault::resource);
    const bool said =
        files_says(sentence, "no space left on ") && files_says(sentence, "f: 1000 of 5000 bytes");
    return said ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(files::read(path), "old");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(AtomicFile, FullFileSystem) {
  const files::TemporaryFolder folder;
  constexpr int not_permitted = 77;
  const int status = in_child([&] {
    const bool private_mounts = ::unshare(CLONE_NEWNS) == 0 &&
                                ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!private_mounts || ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
      return not_permitted;
    }
    write_file_atomically(folder / "f", "old");
    const std::string sentence =
        files::failure_of([&] { write_file_atomically(folder / "f", std::string(1 << 20, 'x')); },
                          stamp::Fault::resource);
    const bool fine = files_says(sentence, "no space left on ") &&
                      files_says(sentence, " of 1048576 bytes") &&
                      files::read(folder / "f") == "old" && entries(folder.path()) == 1;
    return fine ? 0 : 1;
  });
  if (status == not_permitted) GTEST_SKIP() << "may not mount a small file system here";
  EXPECT_EQ(status, 0);
}

TEST(AtomicFile, TakesOverTheRemainsOfADeadWriter) {
  const files::TemporaryFolder folder;
  files::write(folder / ".f.partial", std::string(1000, 'x'));
  write_file_atomically(folder / "f", "new");
  EXPECT_EQ(files::read(folder / "f"), "new");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(AtomicFile, TwoWritersOfOneFile) {
  const files::TemporaryFolder folder;
  AtomicFile first(folder / "f");
  first.write("first");
  EXPECT_SAYS(files::failure_of([&] { write_file_atomically(folder / "f", "second"); },
                                stamp::Fault::resource),
              "is being written by another process");
  first.commit();
  EXPECT_EQ(files::read(folder / "f"), "first");
}

TEST(AtomicFile, NeverEmptiesAFileThatALinkLeadsTo) {
  const files::TemporaryFolder folder;
  const auto precious = files::write(folder / "precious", "keep");
  std::filesystem::create_symlink("precious", folder / ".soft.partial");
  std::filesystem::create_hard_link(precious, folder / ".hard.partial");
  for (const char* name : {"soft", "hard"}) {
    EXPECT_SAYS(files::failure_of([&] { write_file_atomically(folder / name, "x"); },
                                  stamp::Fault::resource),
                "cannot be");
  }
  EXPECT_EQ(files::read(precious), "keep");
}

TEST(AtomicFile, KilledAtAnyTime) {
  const files::TemporaryFolder folder;
  const auto path = folder / "f";
  const std::string even(200'000, 'a'), odd(200'000, 'b');
  write_file_atomically(path, even);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int turn = 0;; ++turn) write_file_atomically(path, turn % 2 == 0 ? odd : even);
    }
    ::usleep(static_cast<useconds_t>(200 + 173 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string found = files::read(path);
    ASSERT_TRUE(found == even || found == odd) << "round " << round;
  }
  write_file_atomically(path, "end");
  EXPECT_EQ(entries(folder.path()), 1);
}

}  // namespace
