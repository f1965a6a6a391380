// SPDX-License-Identifier: Apache-2.0
// stamp segment: the main job.
#include <cstdio>

#include "answering.hpp"
#include "explain.hpp"
#include "recorded_run.hpp"

namespace stamp::command {
namespace {

template <class B>
int answer_about(const Settings& s, const Choice& choice, const Image& image) {
  ProgressLine progress(s.quiet);
  double loading = 0;
  Stopwatch watch;
  Recording<float> of_sam;
  const MaskRefiner refiner =
      s.refine ? open_refiner(s, choice.backend, s.activations ? &of_sam : nullptr) : MaskRefiner{};
  const double opening = watch.lap();
  Model<B> model = open_model<B>(s, choice, progress, loading);
  loading += opening;
  SegmentOptions options = options_of(s, choice, model.sampling());
  options.progress = std::ref(progress);
  Conversation<B> conversation(model);
  conversation.refine_with(refiner);
  conversation.show(image, options);
  Answer answer = conversation.ask(s.prompt, options);
  progress.end();
  answer.timings.load = loading;
  answer.timings.total += loading;
  for (const std::string& note : answer.notes) say("stamp: note: {}\n", note);

  if (s.activations) {
    naming_bad_weights(model, [&] {
      write_recorded_run(*s.activations, model, image, answer, of_sam, options, s, choice.dtype);
    });
  }
  const auto result =
      write_answer(s.out, answer, image, facts_of(s, choice, model, s.image.string(), s.prompt));
  if (s.explain) say("{}", explanation(answer, options));
  if (s.json) {
    fmt::print("{}\n", result);
  } else {
    fmt::print("{}\n", answer.text);
    if (!s.quiet) say("results  {}\n", (s.out / "overlay.png").string());
  }
  return 0;
}

}  // namespace

int segment_command(const Settings& s) {
  const Choice choice = choose(s, s.activations ? Prefer::exactness : Prefer::speed);
  check_output_folder(s.out, s.image);
  if (s.activations) check_output_file(*s.activations, s.image);
  const Image image = read_image(s.image, read_options(s));
  return with_engine(choice, [&]<class B>() { return answer_about<B>(s, choice, image); });
}

}  // namespace stamp::command
