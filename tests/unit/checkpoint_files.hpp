// SPDX-License-Identifier: Apache-2.0
// Files that the checkpoint tests make: a folder that removes itself, raw safetensors bytes, and
// the sentence with which something fails.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace files {

namespace fs = std::filesystem;

/// A folder below the system's temporary one; gone with its content at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "stamp-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] fs::path operator/(const fs::path& name) const { return path_ / name; }

 private:
  fs::path path_;
};

inline fs::path write(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}
inline fs::path write_json(const fs::path& path, const nlohmann::json& json) {
  return write(path, std::string_view(json.dump()));
}
inline std::string read(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Header length, header and `data` zero bytes: a safetensors file of any content, also wrong.
inline std::string safetensors(std::string_view header, std::size_t data,
                               std::uint64_t length = UINT64_MAX) {
  if (length == UINT64_MAX) length = header.size();
  std::string bytes;
  for (int byte = 0; byte < 8; ++byte) bytes += static_cast<char>(length >> (8 * byte) & 0xFF);
  return bytes + std::string(header) + std::string(data, '\0');
}

/// The sentence of the error that `action` ends with, and its exit code; "no error" if it succeeds.
template <class Action>
std::string failure_of(Action action, stamp::Fault expected = stamp::Fault::input) {
  try {
    action();
  } catch (const stamp::Error& error) {
    EXPECT_EQ(error.fault(), expected) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "more than one line";
    return error.what();
  }
  return "no error";
}

}  // namespace files

/// `text` must contain `fragment`; both are shown when it does not.
#define EXPECT_SAYS(text, fragment) EXPECT_PRED2(::files_says, (text), (fragment))
inline bool files_says(const std::string& text, const std::string& fragment) {
  return text.find(fragment) != std::string::npos;
}
