// SPDX-License-Identifier: Apache-2.0
// A model on the engine of a choice, as the commands use it. Which engine that is only session.cpp
// knows, so that the templates of every engine are compiled once.
#pragma once

#include <memory>
#include <stamp/session.hpp>
#include <stamp/session/exported_run.hpp>
#include <string>
#include <vector>

#include "choice.hpp"
#include "progress_line.hpp"

namespace stamp::command {

/// A checkpoint and one conversation with it.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Session(Session&&) = delete;
  Session& operator=(Session&&) = delete;
  virtual ~Session() = default;

  /// What generation_config.json says.
  [[nodiscard]] virtual text::Sampling sampling() const = 0;
  /// What result.json says about how an answer came about.
  [[nodiscard]] virtual RunFacts facts(std::string image, std::string prompt) const = 0;

  /// Forgets what was said and shown.
  virtual void reset() = 0;
  virtual void refine_with(MaskRefiner refiner) = 0;
  virtual void show(const Image& image, const SegmentOptions& options) = 0;
  [[nodiscard]] virtual Answer ask(const std::string& prompt, const SegmentOptions& options) = 0;

  /// Runs an answer again and writes every activation of it, and those of SAM, to --activations.
  virtual void record(const Image& image, const Answer& answer, const SegmentOptions& options,
                      const Recording<float>& of_sam) = 0;
  /// A run that PyTorch exported, made here: one row a tensor.
  [[nodiscard]] virtual std::vector<ParityRow> compare(const ExportedRun& run,
                                                       Tolerance tolerance) = 0;
};

/// Opens the model, says on stderr which backend runs it, and adds to `seconds`. `settings` must
/// outlive the session.
[[nodiscard]] std::unique_ptr<Session> open_session(const Settings& settings, const Choice& choice,
                                                    ProgressLine& progress, double& seconds);

}  // namespace stamp::command
