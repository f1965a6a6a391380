// SPDX-License-Identifier: Apache-2.0
// stamp convert: a PyTorch or safetensors file to safetensors, with SAM's names as asked.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/checkpoint/sam_names.hpp>
#include <stamp/checkpoint/tensor_file.hpp>
#include <stamp/session/result_folder.hpp>

#include "progress_line.hpp"
#include "settings.hpp"

namespace stamp::command {
namespace {

using checkpoint::printable;
using checkpoint::RawTensor;
using checkpoint::SamNaming;
using checkpoint::shown;
using checkpoint::TensorEntry;
using checkpoint::TensorFile;

/// The tensors under the names that the file gives them.
[[nodiscard]] std::vector<RawTensor> as_named(const TensorFile& file) {
  std::vector<RawTensor> tensors;
  for (const TensorEntry& entry : file.entries()) {
    if (entry.name == "__metadata__") {
      fail(Fault::input, shown(file.path()) + ": __metadata__: safetensors has no such tensor");
    }
    tensors.push_back({entry.name, entry.dtype, entry.shape, file.bytes(entry)});
  }
  return tensors;
}

/// The tensors of a SAM under the names of `wanted`. Error{input} for a tensor that no SAM has.
[[nodiscard]] std::vector<RawTensor> as_sam(const TensorFile& file, SamNaming wanted) {
  const std::string where = shown(file.path());
  const auto naming = checkpoint::sam_naming(file.names());
  if (!naming) fail(Fault::input, where + ": --names: holds no tensor of a SAM");
  std::map<std::string, RawTensor> tensors;
  for (const RawTensor& tensor : as_named(file)) {
    const auto names = checkpoint::translated_sam_names(tensor.name, *naming, wanted);
    if (names.empty()) {
      fail(Fault::input,
           fmt::format("{}: {}: no {} name of SAM's, so --names {} cannot tell it", where,
                       printable(tensor.name), name_of(*naming), name_of(wanted)));
    }
    for (const std::string& name : names) {
      RawTensor renamed = tensor;
      renamed.name = name;
      const auto [place, added] = tensors.emplace(name, renamed);
      // SamModel holds one matrix twice; segment-anything has one name for it.
      const RawTensor& first = place->second;
      if (!added && (first.dtype != renamed.dtype || first.shape != renamed.shape ||
                     !std::ranges::equal(first.bytes, renamed.bytes))) {
        fail(Fault::input, fmt::format("{}: {}: differs from the tensor of the same official name, "
                                       "{}, expected to be equal",
                                       where, printable(tensor.name), name));
      }
    }
  }
  std::vector<RawTensor> sam;
  for (auto& [name, tensor] : tensors) sam.push_back(std::move(tensor));
  return sam;
}

}  // namespace

int convert_command(const Settings& s) {
  const TensorFile file{s.from};
  check_output_file(s.to, std::array{s.from});
  const std::vector<RawTensor> tensors =
      s.names.empty()
          ? as_named(file)
          : as_sam(file, s.names == "official" ? SamNaming::official : SamNaming::huggingface);
  auto metadata = file.metadata();
  metadata.try_emplace("format", "pt");  // what transformers asks for

  ProgressLine progress(s.quiet);
  Index done = 0;
  const auto count = static_cast<Index>(tensors.size());
  checkpoint::write_safetensors(s.to, tensors, metadata, [&](std::size_t, std::size_t) {
    file.map().check_unchanged();  // before the new file takes its name
    progress({.stage = Stage::write, .done = ++done, .total = count});
  });
  progress.end();
  if (!s.quiet && !file.others().empty()) {
    say("left out, no tensors of the state dict: {}\n", first_of(file.others()));
  }
  return 0;
}

}  // namespace stamp::command
