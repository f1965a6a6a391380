// SPDX-License-Identifier: Apache-2.0
// stamp parity: is every layer PyTorch's?
#include <fmt/format.h>
#include <fnmatch.h>

#include <nlohmann/json.hpp>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/image/read.hpp>

#include "answering.hpp"
#include "inputs.hpp"
#include "sam_parity.hpp"
#include "session.hpp"

namespace stamp::command {
namespace {

/// What two runs are held to.
struct Judgement {
  bool by_distance = false;  ///< of the whole tensor, else element by element
  Tolerance tolerance;
};

/// The coarser of the types of both runs decides.
[[nodiscard]] Judgement judgement_for(const Settings& s, const Choice& choice, ElementType theirs) {
  const ElementType type = coarser(computed_in(choice.dtype, ElementType::float32), theirs);
  Judgement judgement{.by_distance = type == ElementType::bfloat16,
                      .tolerance = tolerance_of(type)};
  if (judgement.by_distance) judgement.tolerance = {epsilon_of(type), 0};
  if (s.tolerance) judgement.tolerance = {*s.tolerance, *s.tolerance};
  return judgement;
}

void print_row(const ParityRow& row) {
  const char* verdict = row.ok ? "ok" : "FAIL";
  if (row.found_shape != row.shape) {
    fmt::print("{:<28} {:<14} {} {}\n", row.name, to_string(std::span(row.shape)),
               row.found_shape.empty() ? "not computed here"
                                       : "found shape " + to_string(std::span(row.found_shape)),
               verdict);
    return;
  }
  fmt::print("{:<28} {:<14} {:>9.2e} {:>9.2e} {:>9.2e} {:>12.9f} {:>7.3f}  {:<12} {}\n", row.name,
             to_string(std::span(row.shape)), row.largest_difference, row.largest_relative,
             row.distance, row.cosine, row.used, to_string(std::span(row.worst)), verdict);
}

[[nodiscard]] nlohmann::ordered_json row_json(const ParityRow& row) {
  return {{"name", row.name},
          {"shape", row.shape},
          {"max_difference", row.largest_difference},
          {"max_relative", row.largest_relative},
          {"distance", row.distance},
          {"cosine", row.cosine},
          {"tolerance_used", row.used},
          {"worst", row.worst},
          {"ok", row.ok}};
}

/// Prints and writes the rows that --only selects, and says which differ first.
int report(const Settings& s, const Choice& choice, const Judgement& judgement,
           std::span<const ParityRow> all) {
  fmt::print("{:<28} {:<14} {:>9} {:>9} {:>9} {:>12} {:>7}  {:<12}\n", "tensor", "shape",
             "max diff", "relative", "distance", "cosine", "used", "worst at");
  Index compared = 0;
  Index failed = 0;
  std::string first;
  auto rows = nlohmann::ordered_json::array();
  for (ParityRow row : all) {
    if (judgement.by_distance) judge_by_distance(row, judgement.tolerance.relative);
    if (!s.only.empty() && fnmatch(s.only.c_str(), row.name.c_str(), 0) != 0) continue;
    print_row(row);
    rows.push_back(row_json(row));
    ++compared;
    if (row.ok) continue;
    ++failed;
    if (first.empty()) first = row.name;
  }
  if (compared == 0) {
    fail(Fault::usage, "nothing compared: --only " + s.only +
                           ": expected a pattern that matches "
                           "a tensor's name, found none");
  }
  if (s.json_file) {
    const nlohmann::ordered_json written{
        {"model", model_folder(s).string()},
        {"activations", s.activations->string()},
        {"backend", choice.backend},
        {"dtype", choice.dtype},
        {"judged_by", judgement.by_distance ? "distance" : "element"},
        {"relative_tolerance", judgement.tolerance.relative},
        {"absolute_tolerance", judgement.tolerance.absolute},
        {"first_failure",
         first.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(first)},
        {"rows", std::move(rows)}};
    checkpoint::write_file_atomically(
        *s.json_file,
        written.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  if (failed == 0) {
    fmt::print("{} tensors agree\n", compared);
    return 0;
  }
  fmt::print("{} of {} tensors differ; the first is {}\n", failed, compared, first);
  return static_cast<int>(Fault::failure);
}

int compare_stamp(const Settings& s, const Choice& choice, const ExportedRun& run) {
  ProgressLine progress(s.quiet);
  double loading = 0;
  const Judgement judgement = judgement_for(s, choice, run.type);
  auto rows = open_session(s, choice, progress, loading)->compare(run, judgement.tolerance);
  const auto of_sam =
      std::erase_if(rows, [](const ParityRow& row) { return row.name.starts_with("sam."); });
  const int result = report(s, choice, judgement, rows);
  if (of_sam > 0) {
    fmt::print("{} tensors of SAM are left out: another model's, recorded while it refined\n",
               of_sam);
  }
  return result;
}

/// A run of SAM names a file with --model, one of STAMP a folder.
[[nodiscard]] Inputs inputs_of(const Settings& s) {
  std::error_code ignored;
  const bool file = s.model && std::filesystem::is_regular_file(*s.model, ignored);
  Inputs inputs = file ? inputs_of_sam(*s.model) : inputs_of_model(s);
  inputs.push_back(*s.activations);
  inputs.push_back(s.image);
  return inputs;
}

}  // namespace

int parity_command(const Settings& s) {
  const Choice choice = choose(s, Prefer::exactness);
  if (s.json_file) check_output_file(*s.json_file, inputs_of(s));
  if (!tells_of_sam(checkpoint::Safetensors{*s.activations})) {
    return compare_stamp(s, choice, read_exported_run(*s.activations));
  }
  require_type_of_sam(s);
  if (!s.attention.empty()) {
    fail(Fault::usage, "--attention: expected a run of a language model, found one of SAM");
  }
  if (!s.model) {
    fail(Fault::usage, "--model: expected the SAM checkpoint of the recorded run, found none");
  }
  const ExportedSamRun run = read_exported_sam_run(*s.activations);
  if (s.image.empty()) {
    fail(Fault::usage, "--image: expected the picture that SAM was asked about, " +
                           checkpoint::printable(run.image) + ", found none");
  }
  const Image image = read_image(s.image, {.exif = Exif::ignore});
  const Judgement judgement = judgement_for(s, choice, run.type);
  return report(s, choice, judgement, compare_sam(s, choice, run, image, judgement.tolerance));
}

}  // namespace stamp::command
