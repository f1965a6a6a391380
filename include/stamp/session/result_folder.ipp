// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/result_folder.hpp>.
#pragma once

#include <algorithm>
#include <charconv>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/session/result_folder.hpp>
#include <stamp/session/staging.hpp>

namespace stamp {

std::string mask_file(Index mask) { return "mask-" + std::to_string(mask) + ".png"; }

std::string refined_file(Index mask) { return "mask-" + std::to_string(mask) + "-refined.png"; }

bool is_result_file(std::string_view name) {
  if (name == overlay_file || name == logits_file || name == result_file) return true;
  constexpr std::string_view head = "mask-";
  if (!name.starts_with(head)) return false;
  Index mask = -1;
  (void)std::from_chars(name.data() + head.size(), name.data() + name.size(), mask);
  return mask >= 0 && (name == mask_file(mask) || name == refined_file(mask));
}

namespace detail {

inline constexpr std::string_view write_probe = ".stamp-can-write";

/// Whether a run makes a file of that name, if only for a moment.
[[nodiscard]] inline bool is_taken(const std::filesystem::path& name) {
  return is_result_file(name.native()) || name == write_probe ||
         name == checkpoint::partial_of(write_probe) || name == Staging::place;
}

/// Calls `visit` with every file that `inputs` stand for.
template <class Visit>
void each_input(std::span<const std::filesystem::path> inputs, const Visit& visit) {
  std::error_code ignored;
  for (const auto& input : inputs) {
    if (!std::filesystem::is_directory(input, ignored)) {
      visit(input);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(input, ignored)) {
      visit(entry.path());
    }
  }
}

/// The same file, whatever links lead there; false where one of them does not exist.
[[nodiscard]] inline bool is_same(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored);
}

/// Throws Error{usage} where results in `folder` would replace an input, or where making them in
/// its `Staging::place`, which is emptied, would remove one.
inline void keep_inputs(const std::filesystem::path& folder,
                        std::span<const std::filesystem::path> inputs) {
  namespace fs = std::filesystem;
  const std::string where = "output folder: " + checkpoint::shown(folder) + ": ";
  std::error_code ignored;
  for (const fs::path& input : inputs) {
    if (fs::is_directory(input, ignored) && is_same(folder, input)) {
      fail(Fault::usage, where + "is a folder that is read: expected another folder");
    }
  }
  const auto keep = [&](const fs::path& place) {
    each_input(inputs, [&](const fs::path& input) {
      if (!is_same(place, input)) return;
      fail(Fault::usage, where + "its " + checkpoint::shown(place.lexically_relative(folder)) +
                             " is an input: expected another folder");
    });
  };
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (is_taken(entry.path().filename())) keep(entry.path());
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder / Staging::place, ignored)) {
    keep(entry.path());
  }
}

}  // namespace detail

void MadeFolders::make(const std::filesystem::path& folder, std::error_code& error) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (fs::path place = folder; !place.empty(); place = place.parent_path()) {
    if (fs::symlink_status(place, ignored).type() != fs::file_type::not_found) break;
    made_.push_back(place);
  }
  fs::create_directories(folder, error);
}

MadeFolders::~MadeFolders() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const fs::path& folder : made_) {
    if (fs::is_directory(fs::symlink_status(folder, ignored))) fs::remove(folder, ignored);
  }
}

MadeFolders check_output_folder(const std::filesystem::path& folder,
                                std::span<const std::filesystem::path> inputs) {
  namespace fs = std::filesystem;
  const std::string where = "output folder: " + checkpoint::shown(folder) + ": ";
  if (folder.string().find_first_of("\n\r") != std::string::npos) {
    fail(Fault::usage, where + "expected a name without line breaks");
  }
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    fail(Fault::usage, where + "expected a folder, found a file");
  }
  MadeFolders made;
  made.make(folder, error);
  if (error) fail(Fault::resource, where + "cannot be made, " + error.message());
  detail::keep_inputs(folder, inputs);
  const fs::path probe = folder / detail::write_probe;
  checkpoint::write_file_atomically(probe, std::string_view("probe"));
  fs::remove(probe, error);
  return made;
}

void check_output_file(const std::filesystem::path& file,
                       std::span<const std::filesystem::path> inputs) {
  const auto partial = checkpoint::partial_of(file);
  detail::each_input(inputs, [&](const std::filesystem::path& input) {
    if (!detail::is_same(file, input) && !detail::is_same(partial, input)) return;
    fail(Fault::usage,
         "output file: " + checkpoint::shown(file) + ": is an input: expected another name");
  });
  const checkpoint::AtomicFile probe(file);
}

void check_beside_results(const std::filesystem::path& file, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  const fs::path name = file.filename();
  const auto placed = [](const fs::path& path) { return fs::weakly_canonical(fs::absolute(path)); };
  const fs::path at = placed(file);
  const bool ours = detail::is_taken(name) && at == placed(folder / name);
  if (!ours && at != placed(folder / Staging::place / name)) return;
  fail(Fault::usage, "output file: " + checkpoint::shown(file) +
                         ": is a result of the output folder, too: expected another name");
}

void remove_other_results(const std::filesystem::path& folder,
                          std::span<const std::string> written) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    const bool ours = is_result_file(name) && !fs::is_directory(entry.symlink_status(ignored));
    if (ours && std::ranges::find(written, name) == written.end()) others.push_back(entry.path());
  }
  for (const fs::path& other : others) fs::remove(other, ignored);
}

}  // namespace stamp
