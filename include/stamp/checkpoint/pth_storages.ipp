// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pth_storages.hpp>.
#pragma once

#include <stamp/checkpoint/pth_storages.hpp>

namespace stamp::checkpoint {

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

PthStorages read_storages(const Pickle& pickle, const std::string& where) {
  PthStorages storages;
  for (const PickleValue& value : pickle.values) {
    if (value.kind == PickleKind::persistent) {
      (void)detail::read_storage(pickle, value, where, storages);
    }
  }
  return storages;
}

}  // namespace stamp::checkpoint
