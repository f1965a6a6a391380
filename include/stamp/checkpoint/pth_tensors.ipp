// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pth_tensors.hpp>.
#pragma once

#include <optional>
#include <stamp/checkpoint/pth_tensors.hpp>
#include <unordered_set>

namespace stamp::checkpoint {

namespace detail {

class StateDictReader {
 public:
  StateDictReader(const PthContent& content, std::string where)
      : pickle_(content.pickle), storages_(content.storages), where_(std::move(where)) {}

  [[nodiscard]] StateDict read() {
    const PickleValue& root = pickle_.at(pickle_.root);
    if (root.kind != PickleKind::dictionary) {
      stop("expected a dictionary of tensors, found " + std::string(name_of(root.kind)));
    }
    collect(pickle_.at(unwrapped()));
    if (found_.tensors.empty()) {
      stop("holds no tensors; expected a state dict, alone or under state_dict or model; found: " +
           (found_.others.empty() ? "nothing" : first_of(found_.others)));
    }
    return std::move(found_);
  }

 private:
  /// Training scripts save {"model": state dict, "epoch": ...}, at times with tensors beside it.
  /// No state dict itself holds a dictionary, so one under these names is meant.
  [[nodiscard]] PickleId unwrapped() {
    const PickleValue& root = pickle_.at(pickle_.root);
    std::optional<PickleId> inner;
    std::vector<std::string> others;
    for (std::size_t at = 0; at + 1 < root.items.size(); at += 2) {
      const PickleValue& key = pickle_.at(root.items[at]);
      const PickleValue& value = pickle_.at(root.items[at + 1]);
      const bool wrapper =
          (key.text == "state_dict" || key.text == "model") && value.kind == PickleKind::dictionary;
      if (!wrapper) {
        others.push_back(shown(key));
      } else if (!inner) {
        inner = root.items[at + 1];
      } else {
        stop("holds both state_dict and model, expected one of them");
      }
    }
    if (!inner) return pickle_.root;
    found_.others = std::move(others);
    return *inner;
  }

  void collect(const PickleValue& dictionary) {
    std::unordered_set<std::string_view> names;
    constexpr SafetensorsLimits limits;
    for (std::size_t at = 0; at + 1 < dictionary.items.size(); at += 2) {
      const PickleValue& key = pickle_.at(dictionary.items[at]);
      const PickleValue& value = pickle_.at(dictionary.items[at + 1]);
      const std::string label = shown(key);
      if (key.kind == PickleKind::text && !names.insert(key.text).second) {
        stop("duplicate key " + label);
      }
      if (value.kind != PickleKind::call) {
        found_.others.push_back(label);
        continue;
      }
      if (key.kind != PickleKind::text) {
        stop("name of a tensor expected to be text, found " + std::string(name_of(key.kind)));
      }
      if (first_invalid_utf8(key.text)) stop(label + ": name is not UTF-8");
      if (key.text.size() > limits.name_bytes) {
        stop(label + ": name of " + std::to_string(key.text.size()) + " bytes, at most " +
             std::to_string(limits.name_bytes));
      }
      if (found_.tensors.size() == limits.tensors) {
        stop("more than " + std::to_string(limits.tensors) + " tensors");
      }
      found_.tensors.push_back(tensor(key.text, value, label));
    }
  }

  [[nodiscard]] StridedTensor tensor(std::string_view name, const PickleValue& call,
                                     const std::string& label) const {
    if (callee(call) == "_rebuild_parameter") {
      const PickleValue& arguments = pickle_.at(call.items[1]);
      if (arguments.items.size() != 3) stop(label + ": parameter expected to have 3 arguments");
      return plain_tensor(name, pickle_.at(arguments.items[0]), label);
    }
    return plain_tensor(name, call, label);
  }

  [[nodiscard]] StridedTensor plain_tensor(std::string_view name, const PickleValue& call,
                                           const std::string& label) const {
    if (call.kind != PickleKind::call || callee(call) != "_rebuild_tensor_v2") {
      stop(label + ": expected a call of _rebuild_tensor_v2, found " +
           std::string(name_of(call.kind)));
    }
    const auto& arguments = pickle_.at(call.items[1]).items;
    if (arguments.size() != 6 && arguments.size() != 7) {
      stop(label + ": tensor with " + std::to_string(arguments.size()) +
           " arguments, expected 6 or 7");
    }
    if (arguments.size() == 7 && !is_empty(pickle_.at(arguments[6]))) {
      stop(label + ": tensor is conjugated or negated when read, which is not supported");
    }
    const PickleValue& persistent = pickle_.at(arguments[0]);
    if (persistent.kind != PickleKind::persistent) {
      stop(label + ": expected a storage, found " + std::string(name_of(persistent.kind)));
    }
    // read_storages has judged every one of them.
    const auto key = pickle_.at(pickle_.at(persistent.items[0]).items[2]).text;
    const PthStorage& storage = storages_.at(key);
    const Index offset = extent(pickle_.at(arguments[1]), label + ": storage offset");
    StridedTensor made;
    made.entry.name = name;
    made.entry.dtype = storage.dtype;
    made.entry.shape = extents(pickle_.at(arguments[2]), label + ": shape");
    made.strides = extents(pickle_.at(arguments[3]), label + ": strides");
    settle(made, storage, offset, label);
    return made;
  }

  /// Checks that every element lies within the storage, and finds out where the first does.
  void settle(StridedTensor& made, const PthStorage& storage, Index offset,
              const std::string& label) const {
    const auto& shape = made.entry.shape;
    if (shape.size() != made.strides.size()) {
      stop(label + ": shape " + to_string(shape) + " and strides " + to_string(made.strides) +
           " differ in rank");
    }
    const std::string where = where_ + ": " + label;
    Index elements = 1;
    for (const Index length : shape) elements = checked_multiply(elements, length, where);
    Index last = offset;
    Index dense = 1;  // the stride of a tensor without gaps
    for (std::size_t axis = shape.size(); elements > 0 && axis-- > 0;) {
      if (shape[axis] == 1) continue;  // its stride is never taken
      made.row_major = made.row_major && made.strides[axis] == dense;
      dense *= shape[axis];  // at most `elements`
      const Index reach = checked_multiply(shape[axis] - 1, made.strides[axis], where);
      last = checked_add(last, reach, where);
    }
    if (elements > 0 ? last >= storage.elements : offset > storage.elements) {
      stop(label + ": shape " + to_string(shape) + " with strides " + to_string(made.strides) +
           " from element " + std::to_string(offset) + " reaches element " + std::to_string(last) +
           ", its storage has " + std::to_string(storage.elements));
    }
    const auto width = static_cast<std::size_t>(storage.width());
    made.first_byte = storage.begin + static_cast<std::size_t>(offset) * width;
    const Index bytes = checked_multiply(elements, storage.width(), where);
    made.entry.begin = made.row_major ? made.first_byte : 0;
    made.entry.end = made.entry.begin + static_cast<std::size_t>(bytes);
  }

  [[nodiscard]] std::vector<Index> extents(const PickleValue& tuple,
                                           const std::string& label) const {
    if (tuple.kind != PickleKind::tuple) {
      stop(label + " expected to be a tuple, found " + std::string(name_of(tuple.kind)));
    }
    if (tuple.items.size() > StoredTensor::max_rank) {
      stop(label + ": rank " + std::to_string(tuple.items.size()) + " > " +
           std::to_string(StoredTensor::max_rank));
    }
    std::vector<Index> numbers;
    numbers.reserve(tuple.items.size());
    for (const PickleId id : tuple.items) numbers.push_back(extent(pickle_.at(id), label));
    return numbers;
  }
  [[nodiscard]] Index extent(const PickleValue& value, const std::string& label) const {
    if (value.kind != PickleKind::integer || value.integer < 0) {
      stop(label + " not a non-negative integer, found " +
           (value.kind == PickleKind::integer ? std::to_string(value.integer)
                                              : std::string(name_of(value.kind))));
    }
    return value.integer;
  }

  [[nodiscard]] std::string_view callee(const PickleValue& call) const {
    return pth_globals[static_cast<std::size_t>(pickle_.at(call.items[0]).integer)].name;
  }
  [[nodiscard]] static bool is_empty(const PickleValue& value) {
    return value.kind == PickleKind::none ||
           (value.kind == PickleKind::dictionary && value.items.empty());
  }
  [[nodiscard]] static std::string shown(const PickleValue& key) {
    if (key.kind == PickleKind::text) return printable(key.text);
    if (key.kind == PickleKind::integer) return std::to_string(key.integer);
    return std::string(name_of(key.kind));
  }
  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": " + what);
  }

  const Pickle& pickle_;
  const PthStorages& storages_;
  std::string where_;
  StateDict found_;
};

}  // namespace detail

StateDict read_state_dict(const PthContent& content, std::string where) {
  return detail::StateDictReader(content, std::move(where)).read();
}

}  // namespace stamp::checkpoint
