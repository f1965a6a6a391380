// SPDX-License-Identifier: Apache-2.0
// What the command line says, before anything is opened; one struct for all subcommands.
#pragma once

#include <filesystem>
#include <optional>
#include <stamp/observe/recorder.hpp>
#include <stamp/session/mask_refiner.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::command {

/// Values as typed; names and defaults are the contract of docs/command.md.
struct Settings {
  std::optional<std::filesystem::path> model;
  std::optional<std::filesystem::path> base;
  std::filesystem::path image;  ///< empty where none was named
  std::string prompt;
  std::filesystem::path out = "stamp-out";
  std::string backend;
  std::string dtype;
  std::string attention;
  std::optional<std::string> response;
  bool allow_special = false;
  std::optional<std::string> system;
  Index max_new_tokens = 1024;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<Index> top_k;
  std::optional<double> repetition_penalty;
  std::optional<std::uint64_t> seed;
  std::optional<Index> draft;
  std::vector<std::string> likely_answers;
  std::string resize = "pillow";
  std::string exif = "apply";
  std::string upsample = "bilinear";
  bool explain = false;
  bool json = false;
  std::optional<Index> min_pixels;
  std::optional<Index> max_pixels;
  std::string mask_positions = "text";
  double threshold = 0;
  std::optional<std::filesystem::path> refine;
  std::optional<std::filesystem::path> activations;
  std::optional<std::filesystem::path> json_file;  ///< parity --json
  std::optional<double> tolerance;
  std::string only;
  std::vector<std::string> points;  ///< sam --point, as typed
  std::optional<std::filesystem::path> points_file;
  std::optional<std::string> box;
  std::optional<std::filesystem::path> mask;
  std::optional<Index> cascade;  ///< passes
  bool several = false;
  Index threads = 0;
  bool quiet = false;
  std::filesystem::path from;  ///< convert
  std::filesystem::path to;
  std::string names;
  bool decode = false;
};

/// The checkpoint that ships with the project, as built or as installed; Error{input} if neither.
[[nodiscard]] std::filesystem::path shipped_model();

/// The checkpoint of --model, else the one that ships.
[[nodiscard]] inline std::filesystem::path model_folder(const Settings& settings) {
  return settings.model ? *settings.model : shipped_model();
}

int segment_command(const Settings& settings);
int chat_command(const Settings& settings);
int parity_command(const Settings& settings);
int info_command(const Settings& settings);
int tokenize_command(const Settings& settings);
int convert_command(const Settings& settings);
int sam_command(const Settings& settings);

/// SAM of `--refine FILE` on the backend of that name; it owns the model. Error{input} tells what
/// is wrong with the file. `recording`, where there is one, gets SAM's activations.
[[nodiscard]] MaskRefiner open_refiner(const Settings& settings, std::string_view backend,
                                       Recording<float>* recording = nullptr);

}  // namespace stamp::command
