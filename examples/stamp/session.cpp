// SPDX-License-Identifier: Apache-2.0
// Sessions on every engine of this build.
#include "session.hpp"

#include <optional>
#include <stamp/session/replay.hpp>
#include <thread>
#include <utility>

#include "answering.hpp"
#include "engines.hpp"
#include "recorded_run.hpp"
#include "say.hpp"

namespace stamp::command {
namespace {

template <class B>
[[nodiscard]] Model<B> load_on(const Settings& s, const Choice& choice) {
  const LoadOptions options{.base = s.base, .threads = s.threads};
  if constexpr (std::same_as<B, cpu::Engine>) {
    return load<B>(model_folder(s), options, cpu::compute_named(choice.dtype).value());
  } else {
    return std::apply(
        [&](auto... arguments) { return load<B>(model_folder(s), options, arguments...); },
        cuda_arguments<B>(choice.dtype, s.attention));
  }
}

template <class B>
class SessionOn final : public Session {
 public:
  SessionOn(const Settings& s, const Choice& choice)
      : settings_(s), choice_(choice), model_(load_on<B>(s, choice)), conversation_(model_) {}

  [[nodiscard]] text::Sampling sampling() const override { return model_.sampling(); }
  [[nodiscard]] RunFacts facts(std::string image, std::string prompt) const override {
    return {.image = std::move(image),
            .prompt = std::move(prompt),
            .model = model_folder(settings_).string(),
            .parameters = count_parameters(model_.stamp()),
            .stored_type = model_.config().stored_type,
            .backend = std::string(choice_.backend),
            .dtype = std::string(choice_.dtype)};
  }

  void reset() override { conversation_.emplace(model_); }
  void refine_with(MaskRefiner refiner) override { conversation_->refine_with(std::move(refiner)); }
  void show(const Image& image, const SegmentOptions& options) override {
    conversation_->show(image, options);
  }
  [[nodiscard]] Answer ask(const std::string& prompt, const SegmentOptions& options) override {
    return conversation_->ask(prompt, options);
  }

  void record(const Image& image, const Answer& answer, const SegmentOptions& options,
              const Recording<float>& of_sam) override {
    naming_bad_weights(model_, [&] {
      write_recorded_run(*settings_.activations, model_, image, answer, of_sam, options, settings_,
                         choice_.dtype);
    });
  }
  [[nodiscard]] std::vector<ParityRow> compare(const ExportedRun& run,
                                               Tolerance tolerance) override {
    const auto recording = naming_bad_weights(
        model_, [&] { return replay(model_.engine(), model_.stamp(), run.input); });
    return compare_run(run, recording, model_.config(), tolerance);
  }

  [[nodiscard]] const Model<B>& model() const { return model_; }

 private:
  const Settings& settings_;
  Choice choice_;
  Model<B> model_;
  std::optional<Conversation<B>> conversation_;
};

void say_what_runs(const Settings& s, const Choice& choice) {
  say("backend  {}, {}, {} threads{}\n", choice.backend, choice.dtype, s.threads,
      s.attention.empty() ? "" : ", attention " + s.attention);
  if (!choice.note.empty()) say("note     {}\n", choice.note);
  if (const auto cores = std::thread::hardware_concurrency(); std::cmp_greater(s.threads, cores)) {
    say("note     {} threads on {} cores: more than one a core only wait for each other\n",
        s.threads, cores);
  }
}

}  // namespace

std::unique_ptr<Session> open_session(const Settings& s, const Choice& choice,
                                      ProgressLine& progress, double& seconds) {
  std::unique_ptr<Session> session;
  Stopwatch watch;
  progress({Stage::load, 0, 1});
  std::vector<std::string> warnings;
  (void)with_engine(choice, [&]<class B>() {
    auto made = std::make_unique<SessionOn<B>>(s, choice);
    warnings = silent_norms(made->model());
    session = std::move(made);
    return 0;
  });
  progress({Stage::load, 1, 1});
  progress.end();
  seconds += watch.lap();
  for (const std::string& warning : warnings) say("stamp: warning: {}\n", warning);
  if (!s.quiet) say_what_runs(s, choice);
  return session;
}

}  // namespace stamp::command
