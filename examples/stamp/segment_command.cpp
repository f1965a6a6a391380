// SPDX-License-Identifier: Apache-2.0
// stamp segment: the main job.
#include <algorithm>
#include <cstdio>
#include <iterator>

#include "answering.hpp"
#include "explain.hpp"
#include "inputs.hpp"
#include "session.hpp"

namespace stamp::command {
namespace {

/// Before anything is computed: all of it can be written, and replaces nothing that is read.
[[nodiscard]] MadeFolders check_outputs(const Settings& s) {
  Inputs inputs = inputs_of_model(s);
  inputs.push_back(s.image);
  if (s.refine) std::ranges::move(inputs_of_sam(*s.refine), std::back_inserter(inputs));
  if (s.activations) check_beside_results(*s.activations, s.out);
  MadeFolders made = check_output_folder(s.out, inputs);
  if (s.activations) check_output_file(*s.activations, inputs);
  return made;
}

}  // namespace

int segment_command(const Settings& s) {
  const Choice choice = choose(s, s.activations ? Prefer::exactness : Prefer::speed);
  check_prompt(s.prompt);
  check_request(s);
  const MadeFolders made = check_outputs(s);
  const Image image = read_image(s.image, read_options(s));

  ProgressLine progress(s.quiet);
  Stopwatch watch;
  Recording<float> of_sam;
  const MaskRefiner refiner =
      s.refine ? open_refiner(s, choice.backend, s.activations ? &of_sam : nullptr) : MaskRefiner{};
  double loading = watch.lap();
  const auto session = open_session(s, choice, progress, loading);
  SegmentOptions options = options_of(s, choice, session->sampling());
  options.progress = std::ref(progress);
  session->refine_with(refiner);
  session->show(image, options);
  Answer answer = session->ask(s.prompt, options);
  progress.end();
  answer.timings.load = loading;
  answer.timings.total += loading;
  for (const std::string& note : answer.notes) say("stamp: note: {}\n", note);

  if (s.activations) session->record(image, answer, options, of_sam);
  const auto result =
      write_answer(s.out, answer, image, session->facts(s.image.string(), s.prompt));
  if (s.explain) say("{}", explanation(answer, options));
  if (s.json) {
    fmt::print("{}\n", result);
  } else {
    fmt::print("{}\n", answer.text);
    if (!s.quiet) say("results  {}\n", (s.out / overlay_file).string());
  }
  return 0;
}

}  // namespace stamp::command
