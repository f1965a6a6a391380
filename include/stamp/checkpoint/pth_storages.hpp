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

namespace detail {

/// "F32" for torch.FloatStorage; empty for what is no storage class.
[[nodiscard]] inline std::string_view dtype_of(const PickleValue& storage_class) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> dtypes{
      {{"FloatStorage", "F32"},
       {"HalfStorage", "F16"},
       {"BFloat16Storage", "BF16"},
       {"DoubleStorage", "F64"},
       {"LongStorage", "I64"},
       {"IntStorage", "I32"},
       {"ShortStorage", "I16"},
       {"CharStorage", "I8"},
       {"ByteStorage", "U8"},
       {"BoolStorage", "BOOL"}}};
  if (storage_class.kind != PickleKind::global) return {};
  const PickleGlobal& global = pth_globals[static_cast<std::size_t>(storage_class.integer)];
  for (const auto& [name, dtype] : dtypes) {
    if (global.name == name) return dtype;
  }
  return {};
}

/// The key of a persistent id ("storage", class, key, device, elements), which `storages` learns.
inline std::string_view read_storage(const Pickle& pickle, const PickleValue& persistent,
                                     const std::string& where, PthStorages& storages) {
  const auto stop = [&](const std::string& what) {
    fail(Fault::input, where + ": storage " + what);
  };
  const PickleValue& id = pickle.at(persistent.items[0]);
  // Legacy files add what part of another storage this one is; None ever since PyTorch 0.4.
  const bool legacy = id.items.size() == 6;
  if (id.kind != PickleKind::tuple || (id.items.size() != 5 && !legacy)) {
    stop("expected a tuple of five, found " + std::string(name_of(id.kind)) + " of " +
         std::to_string(id.items.size()));
  }
  const PickleValue& kind = pickle.at(id.items[0]);
  const PickleValue& key = pickle.at(id.items[2]);
  const PickleValue& elements = pickle.at(id.items[4]);
  if (kind.kind != PickleKind::text || kind.text != "storage") {
    stop("expected the word storage first, found " + std::string(name_of(kind.kind)));
  }
  if (key.kind != PickleKind::text) {
    stop("key expected to be text, found " + std::string(name_of(key.kind)));
  }
  const std::string label = printable(key.text);
  const std::string_view dtype = dtype_of(pickle.at(id.items[1]));
  if (dtype.empty()) stop(label + ": expected a storage class of torch");
  if (elements.kind != PickleKind::integer || elements.integer < 0) {
    stop(label + ": element count not a non-negative integer");
  }
  if (legacy && pickle.at(id.items[5]).kind != PickleKind::none) {
    stop(label + ": is a part of another storage, as before PyTorch 0.4; save it anew");
  }
  const PthStorage storage{.dtype = dtype, .elements = elements.integer};
  const auto [place, added] = storages.try_emplace(key.text, storage);
  if (!added && (place->second.dtype != dtype || place->second.elements != elements.integer)) {
    stop(label + ": mentioned as " + std::to_string(place->second.elements) + " " +
         std::string(place->second.dtype) + " and as " + std::to_string(elements.integer) + " " +
         std::string(dtype));
  }
  return key.text;
}

}  // namespace detail

/// All storages of a pickle; `begin` is left for the container to fill in. Throws Error{input}.
[[nodiscard]] inline PthStorages read_storages(const Pickle& pickle, const std::string& where) {
  PthStorages storages;
  for (const PickleValue& value : pickle.values) {
    if (value.kind == PickleKind::persistent) {
      (void)detail::read_storage(pickle, value, where, storages);
    }
  }
  return storages;
}

}  // namespace stamp::checkpoint
