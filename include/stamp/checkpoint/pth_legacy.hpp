// SPDX-License-Identifier: Apache-2.0
// The container of PyTorch before 1.6: five pickles in a row, then the storages.
// Mirrors `torch.serialization._legacy_save`.
#pragma once

#include <stamp/checkpoint/pth_zip.hpp>
#include <string>

namespace stamp::checkpoint {

/// Reads everything but the tensors' numbers. Throws Error{input} "WHERE: ...".
[[nodiscard]] PthContent read_legacy_pth(std::span<const std::byte> file, std::string where);

}  // namespace stamp::checkpoint
