// SPDX-License-Identifier: Apache-2.0
// A golden checkpoint with one thing broken, and the table of what the command must say about it.
#pragma once

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "run_command.hpp"

namespace command {

/// A safetensors file taken apart: header in its order, then bytes.
struct Tensors {
  nlohmann::ordered_json header;
  std::string data;

  explicit Tensors(const fs::path& path) {
    const std::string bytes = files::read(path);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    header = nlohmann::ordered_json::parse(bytes.substr(8, length));
    data = bytes.substr(8 + length);
  }
  [[nodiscard]] std::string bytes() const { return files::safetensors(header.dump(), 0) + data; }
  /// Element `index` of float32 tensor `name` becomes `value`.
  void set(const std::string& name, std::size_t index, float value) {
    const auto begin = header[name]["data_offsets"][0].get<std::size_t>();
    std::memcpy(data.data() + begin + 4 * index, &value, sizeof value);
  }
  [[nodiscard]] float get(const std::string& name, std::size_t index) const {
    float value = 0;
    const auto begin = header[name]["data_offsets"][0].get<std::size_t>();
    std::memcpy(&value, data.data() + begin + 4 * index, sizeof value);
    return value;
  }
};

/// One thing that is wrong with a file.
using Change = std::function<void(Tensors&)>;

/// The metadata tell something else.
[[nodiscard]] inline Change told(const char* key, const char* value) {
  return [=](Tensors& tensors) { tensors.header["__metadata__"][key] = value; };
}

/// The command that `command` makes of a changed copy of `original` is refused, and says why.
inline void expect_refused(const fs::path& original, const Change& change,
                           const std::function<Words(const fs::path&)>& command,
                           const Words& says) {
  const TemporaryFolder folder;
  Tensors tensors(original);
  change(tensors);
  expect_failure(run(command(files::write(folder / "run.safetensors", tensors.bytes()))), 3, says);
}

/// A folder for one test: a copy of a golden checkpoint, an output folder that holds an earlier
/// result, and room for more.
class Site {
 public:
  explicit Site(const std::string& golden = "tied") : model(folder / golden), out(folder / "out") {
    fs::copy(goldens / "models" / golden, model);
    fs::create_directory(out);
    files::write(out / "result.json", "earlier");
    files::write(out / "mask-0.png", "earlier");
  }

  TemporaryFolder folder;
  fs::path model;
  fs::path out;

  void edit(const std::string& file, const std::function<void(json&)>& change) const {
    json value = json::parse(files::read(model / file));
    change(value);
    files::write_json(model / file, value);
  }
  void edit_tensors(const std::function<void(Tensors&)>& change,
                    const std::string& file = "model.safetensors") const {
    Tensors tensors(model / file);
    change(tensors);
    files::write(model / file, tensors.bytes());
  }
  [[nodiscard]] fs::path write(const std::string& name, std::string_view bytes) const {
    return files::write(folder / name, bytes);
  }
};

/// A row of docs/bad-input.md.
struct Row {
  int number;
  std::string name;
  std::string golden;                         ///< checkpoint that is broken
  std::function<Words(const Site&)> command;  ///< breaks something and says what to run
  int status;
  Words says;
};
inline std::ostream& operator<<(std::ostream& stream, const Row& row) {
  return stream << row.number << ' ' << row.name;
}
inline std::string name_of(const testing::TestParamInfo<Row>& info) {
  return "row" + std::to_string(info.param.number) + "_" + info.param.name;
}

/// The exit code, one line that says it, in time, and the earlier results untouched.
inline void expect_row(const Row& row) {
  const Site site(row.golden);
  const Words words = row.command(site);
  const auto before = contents(site.folder.path());
  expect_failure(run(words, {.seconds = sanitized ? 60.0 : 20.0}), row.status, row.says);
  EXPECT_EQ(contents(site.folder.path()), before) << "earlier results or inputs were touched";
}

/// Rows that change the checkpoint and then ask it about a picture.
inline Row broken(int number, std::string name, std::function<void(const Site&)> change, Words says,
                  const std::string& golden = "tied") {
  const auto words = [change = std::move(change)](const Site& site) {
    change(site);
    return segment(tall, "the mug", site.model, site.out);
  };
  return {number, std::move(name), golden, words, 3, std::move(says)};
}

}  // namespace command
