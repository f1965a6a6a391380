// SPDX-License-Identifier: Apache-2.0
// The stack, the marks and the memo on which pickle's opcodes work, each bounded.
// Mirrors the `stack`, `metastack` and `memo` of CPython's `pickle._Unpickler`.
#pragma once

#include <cstdint>
#include <stamp/checkpoint/pickle.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stamp::checkpoint::detail {

/// Errors are Error{input} "WHERE: byte K: WHAT", K being where the current opcode stands.
class PickleStack {
 public:
  PickleStack(std::string where, PickleLimits limits) : where_(std::move(where)), limits_(limits) {}

  /// An opcode begins at this byte.
  void begin_opcode(std::size_t position) { opcode_at_ = position; }

  [[nodiscard]] const PickleValue& value(PickleId id) const { return made_.values[id]; }

  void push(PickleValue made);

  /// The last `count` values; a mark hides what is below it.
  [[nodiscard]] std::vector<PickleId> pop(std::size_t count);
  [[nodiscard]] PickleId pop() { return pop(1).front(); }
  [[nodiscard]] std::vector<PickleId> pop_to_mark();
  void mark();
  /// The last value, which must be of this kind.
  [[nodiscard]] PickleValue& top(PickleKind kind);
  /// Adds to the list or dictionary that is on top.
  void extend(PickleKind kind, const std::vector<PickleId>& items);

  /// The whole graph; its root was the last value.
  [[nodiscard]] Pickle finish(std::size_t end);

  void put(std::uint32_t index);
  void get(std::uint32_t index);

  [[noreturn]] void stop(const std::string& what) const;

 private:
  void push_id(PickleId id);
  [[nodiscard]] PickleId top();

  std::string where_;
  PickleLimits limits_;
  Pickle made_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;  ///< how high the stack was at each MARK
  std::unordered_map<std::uint32_t, PickleId> memo_;
  std::size_t opcode_at_ = 0;
};

}  // namespace stamp::checkpoint::detail
