// SPDX-License-Identifier: Apache-2.0
// The container of PyTorch 1.6 and later: a ZIP file with a pickle and one member a storage.
// Mirrors `torch.serialization._save`.
#pragma once

#include <stamp/checkpoint/pth_storages.hpp>
#include <stamp/checkpoint/zip_directory.hpp>
#include <string>

namespace stamp::checkpoint {

/// What both containers hold: a pickle, and where in the file its storages lie.
struct PthContent {
  Pickle pickle;
  PthStorages storages;
};

/// Reads everything but the tensors' numbers. Throws Error{input} "WHERE: ...".
[[nodiscard]] PthContent read_zip_pth(std::span<const std::byte> file, const std::string& where);

}  // namespace stamp::checkpoint
