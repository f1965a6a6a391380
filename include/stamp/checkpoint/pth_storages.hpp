// SPDX-License-Identifier: Apache-2.0
// The storages that a PyTorch pickle mentions: which there are, of what type and how long.
// Mirrors the persistent ids that `torch.serialization._save` and `_legacy_save` write.
#pragma once

#include <array>
#include <map>
#include <stamp/checkpoint/element_names.hpp>
#include <stamp/checkpoint/pickle_reader.hpp>
#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// All names that a `.pth` may mention; any other is refused.
inline constexpr std::array pth_globals{
    PickleGlobal{"collections", "OrderedDict", GlobalUse::as_dictionary},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", GlobalUse::as_call},
    PickleGlobal{"torch._utils", "_rebuild_parameter", GlobalUse::as_call},
    PickleGlobal{"torch", "FloatStorage"},
    PickleGlobal{"torch", "HalfStorage"},
    PickleGlobal{"torch", "BFloat16Storage"},
    PickleGlobal{"torch", "DoubleStorage"},
    PickleGlobal{"torch", "LongStorage"},
    PickleGlobal{"torch", "IntStorage"},
    PickleGlobal{"torch", "ShortStorage"},
    PickleGlobal{"torch", "CharStorage"},
    PickleGlobal{"torch", "ByteStorage"},
    PickleGlobal{"torch", "BoolStorage"},
};

/// One storage: a row of numbers that one or several tensors look into.
struct PthStorage {
  std::string_view dtype{};  ///< as safetensors calls it
  Index elements = 0;
  std::size_t begin = 0;  ///< from the file's start; the container knows

  [[nodiscard]] Index width() const { return *bits_of(dtype) / 8; }
};

/// Storages by their keys, which lie in the pickle's bytes.
using PthStorages = std::map<std::string_view, PthStorage>;

/// All storages of a pickle; `begin` is left for the container to fill in. Throws Error{input}.
[[nodiscard]] PthStorages read_storages(const Pickle& pickle, const std::string& where);

}  // namespace stamp::checkpoint
