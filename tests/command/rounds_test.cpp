// SPDX-License-Identifier: Apache-2.0
// chat and parity through the command: rounds over a pipe, and runs compared layer by layer.
#include "broken_model.hpp"

namespace command {
namespace {

Ended chat(const std::string& lines, const Words& more = {}) {
  Words words{"chat", "--model", tied, "--threads", "1", "--quiet", "--max-new-tokens", "6"};
  words.insert(words.end(), more.begin(), more.end());
  return run(words, {.input = lines});
}

TEST(Chat, KeepsRoundsAndSavesThem) {
  const TemporaryFolder folder;
  const std::string save = "/save " + (folder / "saved").string() + "\n";
  const std::string show = "/image " + tall.string() + "\n";
  // Answers may hold line breaks, so that rounds are told apart by ever longer conversations.
  const std::string first = chat(show + "the mug\n").out;
  const std::string two = chat(show + "the mug\nand now?\n").out;
  const Ended ended = chat(show + "the mug\nand now?\n" + save + "/reset\nthe mug\n/save " +
                           (folder / "anew").string() + "\n/quit\nnever read\n");
  expect_success(ended);
  EXPECT_EQ(ended.err.find("stamp: /"), std::string::npos) << ended.err;
  EXPECT_TRUE(two.starts_with(first));
  EXPECT_EQ(ended.out, two + first);
  const json saved = json::parse(files::read(folder / "saved/result.json"));
  EXPECT_EQ(saved["prompt"], "and now?");
  EXPECT_EQ(saved["text"].get<std::string>() + "\n", two.substr(first.size()));
  EXPECT_EQ(saved["image"]["path"], tall.string());
  const auto count = [&](const char* name, int id) {
    const json result = json::parse(files::read(folder / name / "result.json"));
    const json& ids = result["input_ids"];
    return std::count(ids.begin(), ids.end(), json(id));
  };
  EXPECT_EQ(count("saved", 301), 5) << "<|im_start|> of the system, and of two rounds";
  EXPECT_EQ(count("anew", 301), 3) << "/reset forgets what was said";
  EXPECT_EQ(count("anew", 312), count("saved", 312)) << "/reset keeps the image";
  EXPECT_TRUE(fs::exists(folder / "saved/overlay.png"));
}

TEST(Chat, GivesTheSameFirstAnswerAsSegment) {
  const Site site;
  const Ended alone =
      run(segment(tall, "the mug", site.model, site.out, {"--max-new-tokens", "6"}));
  EXPECT_EQ(chat("the mug\n", {tall}).out, alone.out);
}

TEST(Chat, SaysWhatIsWrongAndGoesOn) {
  const Ended ended = chat("/save somewhere\n/nonsense\n/image none.png\n\nthe mug\n", {tall});
  EXPECT_EQ(ended.status, 3) << "the last error's";
  EXPECT_SAYS(ended.err, "stamp: /save: expected an answer");
  EXPECT_SAYS(ended.err, "stamp: unknown command /nonsense");
  EXPECT_SAYS(ended.err, "stamp: none.png");
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 3);
  EXPECT_FALSE(ended.out.empty()) << "the question after them is answered";
  EXPECT_EQ(chat("ab\xC3\x28\n", {tall}).status, 3);
}

Words parity(const fs::path& model, const fs::path& activations, const Words& more = {}) {
  Words words{"parity", "--model", model, "--activations", activations, "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}
const fs::path single = goldens / "activations/tied-single.safetensors";

TEST(Parity, AgreesWithPyTorch) {
  const TemporaryFolder folder;
  const Ended ended = run(parity(tied, single, {"--json", folder / "rows.json"}));
  expect_success(ended);
  EXPECT_SAYS(ended.out, "tensors agree");
  const json report = json::parse(files::read(folder / "rows.json"));
  EXPECT_TRUE(report["first_failure"].is_null());
  EXPECT_GT(report["rows"].size(), 15U);
  for (const json& row : report["rows"]) EXPECT_EQ(row["ok"], true) << row;
}

TEST(Parity, HoldsRunsOfTwoTypesToTheCoarserOne) {
  const TemporaryFolder folder;
  Tensors broken(single);
  for (std::size_t at = 0; at < 40; ++at) broken.set("vision.merger", at, 10);
  const fs::path wrong = files::write(folder / "wrong.safetensors", broken.bytes());
  Tensors scaled(single);  // each number a tenth too large: 2.9 times what bfloat16 may be off
  const json& shape = scaled.header["vision.merger"]["shape"];
  const auto numbers = shape[0].get<std::size_t>() * shape[1].get<std::size_t>();
  for (std::size_t at = 0; at < numbers; ++at) {
    scaled.set("vision.merger", at, 1.1F * scaled.get("vision.merger", at));
  }
  const fs::path slightly = files::write(folder / "scaled.safetensors", scaled.bytes());
  const json cases = json::parse(files::read(goldens / "cases.json"));
  for (const char* dtype : {"fp64", "bf16"}) {
    const Words in_type{"--dtype", dtype, "--backend", "reference"};
    for (const json& golden : cases["cases"]) {
      const fs::path model = goldens / golden["model"].get<std::string>();
      const Ended ended =
          run(parity(model, goldens / golden["activations"].get<std::string>(), in_type));
      EXPECT_EQ(ended.status, 0) << golden["name"] << " in " << dtype << "\n" << ended.out;
    }
    for (const fs::path& file : {wrong, slightly}) {
      const Ended ended = run(parity(tied, file, in_type));
      EXPECT_EQ(ended.status, 1) << dtype;
      EXPECT_SAYS(ended.out, "1 of 18 tensors differ; the first is vision.merger");
    }
  }
  const auto judged_by = [&](const Words& more) {
    Words words{"--json", folder / "rows.json", "--backend", "reference"};
    words.insert(words.end(), more.begin(), more.end());
    expect_success(run(parity(tied, single, words)));
    return json::parse(files::read(folder / "rows.json"))["judged_by"];
  };
  EXPECT_EQ(judged_by({"--dtype", "fp64"}), "element");
  EXPECT_EQ(judged_by({"--dtype", "bf16"}), "distance");
}

TEST(Parity, TakesTheWordOfAFileThatItsRunWasInBfloat16) {
  const TemporaryFolder folder;
  Tensors rounded(single);
  told("dtype", "bfloat16")(rounded);
  rounded.set("mask.0.logits", 0, 0.001F + rounded.get("mask.0.logits", 0));
  expect_success(run(parity(tied, files::write(folder / "run.safetensors", rounded.bytes()))));
  told("dtype", "float32")(rounded);
  EXPECT_EQ(run(parity(tied, files::write(folder / "run.safetensors", rounded.bytes()))).status, 1);
}

TEST(Parity, AgreesWithOurOwnActivations) {
  const Site site;
  const fs::path file = site.folder / "run.safetensors";
  expect_success(run(segment(tall, "the red mug on the left", site.model, site.out,
                             {"--response", "It is <|seg|>", "--activations", file})));
  expect_success(run(parity(tied, file, {"--tolerance", "0"})));
  Tensors ours(file);
  const Tensors theirs(single);
  for (const auto& [name, entry] : theirs.header.items()) {
    if (name == "__metadata__") continue;
    ASSERT_TRUE(ours.header.contains(name)) << name;
    EXPECT_EQ(ours.header[name]["shape"], entry["shape"]) << name;
    EXPECT_EQ(ours.header[name]["dtype"], entry["dtype"]) << name;
  }
}

TEST(Parity, NamesTheFirstTensorThatDiffers) {
  const TemporaryFolder folder;
  Tensors run_of(single);
  run_of.set("mask.0.logits", 1, 1e3F);
  run_of.set("language.layers.1", 17, -1e3F);
  run_of.set("vision.merger", 5, 1e3F);
  const fs::path file = files::write(folder / "run.safetensors", run_of.bytes());
  const Ended ended = run(parity(tied, file, {"--json", folder / "rows.json"}));
  EXPECT_EQ(ended.status, 1);
  EXPECT_SAYS(ended.out, "3 of ");
  EXPECT_SAYS(ended.out, "the first is vision.merger\n");
  EXPECT_EQ(json::parse(files::read(folder / "rows.json"))["first_failure"], "vision.merger");
  expect_success(run(parity(tied, file, {"--only", "vision.blocks.*"})));
  expect_success(run(parity(tied, file, {"--tolerance", "1e6"})));
  const Ended language = run(parity(tied, file, {"--only", "language.*"}));
  EXPECT_EQ(language.status, 1);
  EXPECT_SAYS(language.out, "the first is language.layers.1\n");
}

TEST(Parity, RefusesRunsThatDoNotFitTheModel) {
  const TemporaryFolder folder;
  const auto refused = [](const Change& change, const Words& says) {
    expect_refused(single, change, [](const fs::path& file) { return parity(tied, file); }, says);
  };
  const auto integer = [](const char* name, std::size_t index, std::int64_t value) {
    return [=](Tensors& tensors) {
      const auto begin = tensors.header[name]["data_offsets"][0].get<std::size_t>();
      std::memcpy(tensors.data.data() + begin + 8 * index, &value, sizeof value);
    };
  };
  refused(integer("input_ids", 3, 100'000), {"input_ids", "100000"});
  refused(integer("input_ids", 3, -1), {"input_ids", "-1"});
  refused(integer("image_grid_thw", 1, -4), {"image_grid_thw", "-4"});
  refused(integer("image_grid_thw", 1, 1LL << 40), {"image_grid_thw"});
  refused(integer("image_grid_thw", 1, 3), {"image_grid_thw", "multiples of 2"});
  refused(integer("image_grid_thw", 1, 400), {"pixel_values"});
  refused(told("prompt_length", "0"), {"prompt_length"});
  refused(told("prompt_length", "99999999999999999999"), {"prompt_length"});
  refused(told("mask_positions", "sideways"), {"mask_positions", "sideways"});
  refused([](Tensors& t) { t.header["__metadata__"].erase("prompt_length"); }, {"prompt_length"});

  expect_failure(run(parity(tied, tied / "model.safetensors")), 3, {"input_ids"});
  expect_failure(run(parity(tied, "/dev/zero")), 3, {"not a regular file"});
  expect_failure(run(parity(tied, single, {"--json", folder / "none/rows.json"})), 4,
                 {"rows.json"});
  const Ended nothing = run(parity(tied, single, {"--only", "nonsense*"}));
  EXPECT_EQ(nothing.status, 2);
  EXPECT_SAYS(nothing.err, "nothing compared");
}

TEST(Parity, NamesABadWeight) {
  const Site site;
  site.edit_tensors([](Tensors& tensors) { tensors.set("model.norm.weight", 4, 0.0F / 0.0F); });
  expect_failure(run(parity(site.model, single)), 3,
                 {"model.norm.weight has 1 non-finite values, first at index 4"});
}

}  // namespace
}  // namespace command
