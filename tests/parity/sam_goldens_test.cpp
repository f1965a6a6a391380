// SPDX-License-Identifier: Apache-2.0
// Every named activation of a tiny SAM against PyTorch's (reference/pytorch/sam_goldens.py), and
// the masks that come of them, pixel by pixel.
#include <gtest/gtest.h>

#include <map>
#include <stamp/cpu.hpp>
#include <stamp/image/read.hpp>
#include <stamp/observe/recorder.hpp>
#include <stamp/reference.hpp>
#include <stamp/session/exported_run.hpp>
#include <stamp/session/sam_model.hpp>

namespace stamp {
namespace {

const std::filesystem::path goldens = std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";

/// The committed activations, or those that PyTorch has just written (STAMP_FRESH_SAM).
std::filesystem::path file_of(const std::string& name) {
  const char* fresh = std::getenv("STAMP_FRESH_SAM");
  const std::filesystem::path folder = fresh == nullptr ? goldens / "sam" : fresh;
  return folder / "activations" / (name + ".safetensors");
}

/// A run that PyTorch made: its prompt and its activations in the order of the computation.
struct SamRun {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Recorded<double>> prompt;
  std::vector<std::pair<std::string, Recorded<double>>> expected;
};

SamRun read_run(const std::string& name) {
  const checkpoint::Safetensors file{file_of(name)};
  SamRun run{file.metadata(), {}, {}};
  for (const auto& entry : file.entries()) {
    const StoredTensor stored = file.view(entry);
    Recorded<double> tensor{{stored.shape().begin(), stored.shape().end()}, {}};
    if (stored.type == ElementType::int64) {
      for (const auto value : detail::integers_of(stored, entry.name)) {
        tensor.values.push_back(static_cast<double>(value));
      }
    } else {
      tensor.values.resize(static_cast<std::size_t>(stored.size()));
      widen_stored(stored, 0, stored.size(), tensor.values.data());
    }
    if (entry.name.starts_with("prompt.")) {
      run.prompt[entry.name.substr(7)] = std::move(tensor);
    } else {
      run.expected.emplace_back(entry.name, std::move(tensor));
    }
  }
  return run;
}

/// How many layers' rounding an activation has been through. A block of the encoder, a norm of the
/// neck, a block of the transformer (two attentions deep, each way), the upscaling and the heads
/// count one each; each pass of a cascade reads what the one before it gave.
double steps_before(const std::string& name, const sam::Config& config) {
  const auto encoder = static_cast<double>(config.vision.num_hidden_layers + 3);
  const auto decoder = static_cast<double>(2 * config.decoder.num_hidden_layers + 4);
  const auto last = static_cast<double>(leading_number(name.substr(name.rfind('.') + 1)));
  if (name.starts_with("sam.image_encoder.blocks.")) return last + 2;
  if (name.starts_with("sam.image_encoder.neck.")) return encoder;
  if (name == "sam.image_embeddings") return encoder;
  if (!name.starts_with("sam.pass.")) return 1;
  const auto pass = static_cast<double>(leading_number(name.substr(9)));
  const std::string rest = name.substr(name.find('.', 9) + 1);
  const double before = pass * decoder;
  if (rest == "sparse") return 1;
  if (rest == "dense") return before + 3;
  if (rest.starts_with("transformer.layers.")) {
    return before + encoder + 2 * static_cast<double>(leading_number(rest.substr(19)) + 1);
  }
  return before + encoder + decoder;
}

template <class B>
Recording<typename B::Number> replay(SamModel<B>& model, const SamRun& run) {
  using Number = typename B::Number;
  Recording<Number> recording;
  const Recorder<Number> tap = Recorder<Number>(&recording).within("sam");
  const Image image = read_image(goldens / "images-parity" / run.metadata.at("image"));
  const Index side = model.config().vision.image_size;
  const auto pixels = sam::pixel_values(image, side);
  recording["sam.pixel_values"] = {{side, side, 3}, {pixels.begin(), pixels.end()}};
  sam::Predictor<B> predictor(model.engine(), model.sam());
  predictor.set_image(image, tap);

  const auto given = [&](const char* name) -> const Recorded<double>* {
    const auto found = run.prompt.find(name);
    return found == run.prompt.end() ? nullptr : &found->second;
  };
  std::vector<std::array<double, 2>> places;
  std::vector<sam::PointLabel> labels;
  if (const auto* points = given("points")) {
    for (std::size_t at = 0; at < points->values.size(); at += 2) {
      places.push_back({points->values[at], points->values[at + 1]});
      labels.push_back(given("labels")->values[at / 2] > 0 ? sam::PointLabel::foreground
                                                           : sam::PointLabel::background);
    }
  }
  sam::Prompt prompt;
  for (std::size_t at = 0; at < places.size(); ++at) {
    prompt.points.push_back(predictor.point(places[at][0], places[at][1], labels[at]));
  }
  if (const auto* coarse = given("coarse")) {
    Bitmap mask{.width = image.width, .height = image.height};
    for (const double cell : coarse->values) mask.cells.push_back(cell > 0 ? 1 : 0);
    const sam::CascadeOptions options{.passes = leading_number(run.metadata.at("passes")),
                                      .prior = run.metadata.at("quirks") == "clean"
                                                   ? sam::MaskPrior::clean
                                                   : sam::MaskPrior::released};
    const auto result = sam::cascade_from(predictor, mask, prompt.points, options, tap);
    EXPECT_TRUE(result.refined) << result.reason;
    EXPECT_EQ(result.passes, options.passes);
    return recording;
  }
  if (const auto* box = given("box")) {
    prompt.box = predictor.box(box->values[0], box->values[1], box->values[2], box->values[3]);
  }
  if (const auto* mask = given("mask")) prompt.mask_logits = mask->values;
  const auto choice =
      run.metadata.at("masks") == "several" ? sam::MaskChoice::several : sam::MaskChoice::single;
  (void)predictor.predict(prompt, choice, tap.within("pass.0"));
  return recording;
}

template <class B, class... EngineArguments>
void run_case(const std::string& name, Tolerance tolerance, EngineArguments... arguments) {
  const SamRun run = read_run(name);
  auto model = load_sam<B>(goldens / "sam/model.safetensors", 2, arguments...);
  const auto recording = replay(model, run);
  ASSERT_GE(run.expected.size(), 5U) << "a golden with so few activations proves nothing";
  for (const auto& [tensor, expected] : run.expected) {
    const auto found = recording.find(tensor);
    // Pixels and the coarse mask's logits are float32 numbers in a double run, too, as released.
    const bool single = tensor == "sam.prior" || tensor == "sam.pixel_values";
    const auto row = compare(tensor, expected, found == recording.end() ? nullptr : &found->second,
                             single ? tolerance_of(ElementType::float32) : tolerance,
                             steps_before(tensor, model.config()));
    EXPECT_TRUE(row.ok) << row.name << " " << to_string(std::span<const Index>(row.shape))
                        << ", found " << to_string(std::span<const Index>(row.found_shape))
                        << ": largest difference " << row.largest_difference << ", " << row.used
                        << " of the tolerance, cosine " << row.cosine;
    if (!tensor.ends_with(".masks") || found == recording.end()) continue;
    Index differ = 0;
    for (std::size_t at = 0; at < expected.values.size(); ++at) {
      differ += (expected.values[at] > 0) != (found->second.values[at] > 0) ? 1 : 0;
    }
    EXPECT_EQ(differ, 0) << tensor << ": pixels of " << expected.values.size()
                         << " that PyTorch's mask has otherwise";
  }
}

class SamGoldens : public testing::TestWithParam<const char*> {};

TEST_P(SamGoldens, ReferenceIsPyTorchLayerByLayer) {
  run_case<reference::Engine<float>>(GetParam(), tolerance_of(ElementType::float32));
}

TEST_P(SamGoldens, FastCpuInFp32IsPyTorchLayerByLayerWithEveryInstructionSet) {
  for (const auto isa : {cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (isa > cpu::best_isa()) continue;
    SCOPED_TRACE(cpu::name_of(isa));
    run_case<cpu::Backend>(GetParam(), tolerance_of(ElementType::float32), cpu::Compute::fp32, isa);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SamGoldens,
                         testing::Values("points", "mask", "box", "both", "cascade",
                                         "cascade-clean"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(SamGoldensInDouble, ReferenceIsPyTorchLayerByLayer) {
  for (const char* name : {"both.f64", "cascade.f64"}) {
    SCOPED_TRACE(name);
    run_case<reference::Engine<double>>(name, {1e-9, 1e-12});
  }
}

}  // namespace
}  // namespace stamp
