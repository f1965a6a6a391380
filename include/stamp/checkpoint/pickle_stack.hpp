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

  void push(PickleValue made) {
    if (made_.values.size() == limits_.values) {
      stop("more than " + std::to_string(limits_.values) + " values");
    }
    made_.values.push_back(std::move(made));
    push_id(static_cast<PickleId>(made_.values.size() - 1));
  }

  /// The last `count` values; a mark hides what is below it.
  [[nodiscard]] std::vector<PickleId> pop(std::size_t count) {
    const std::size_t hidden = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - hidden < count) stop("stack underflow");
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<PickleId> taken(first, stack_.end());
    stack_.erase(first, stack_.end());
    return taken;
  }
  [[nodiscard]] PickleId pop() { return pop(1).front(); }
  [[nodiscard]] std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) stop("stack without a MARK");
    auto taken = pop(stack_.size() - marks_.back());
    marks_.pop_back();
    return taken;
  }
  void mark() {
    if (marks_.size() == limits_.depth) {
      stop("nesting deeper than " + std::to_string(limits_.depth));
    }
    marks_.push_back(stack_.size());
  }
  /// The last value, which must be of this kind.
  [[nodiscard]] PickleValue& top(PickleKind kind) {
    PickleValue& found = made_.values[top()];
    if (found.kind != kind) {
      stop("expected " + std::string(name_of(kind)) + " on the stack, found " +
           std::string(name_of(found.kind)));
    }
    return found;
  }
  /// Adds to the list or dictionary that is on top.
  void extend(PickleKind kind, const std::vector<PickleId>& items) {
    std::vector<PickleId>& held = top(kind).items;
    held.insert(held.end(), items.begin(), items.end());
  }

  /// The whole graph; its root was the last value.
  [[nodiscard]] Pickle finish(std::size_t end) {
    made_.root = pop();
    if (!stack_.empty() || !marks_.empty()) stop("STOP with values left on the stack");
    made_.end = end;
    return std::move(made_);
  }

  void put(std::uint32_t index) {
    if (memo_.size() == limits_.memo && !memo_.contains(index)) {
      stop("more than " + std::to_string(limits_.memo) + " values in the memo");
    }
    memo_[index] = top();
  }
  void get(std::uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) stop("memo index " + std::to_string(index) + " was never written");
    push_id(found->second);
  }

  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": byte " + std::to_string(opcode_at_) + ": " + what);
  }

 private:
  void push_id(PickleId id) {
    if (stack_.size() == limits_.stack) {
      stop("more than " + std::to_string(limits_.stack) + " values on the stack");
    }
    stack_.push_back(id);
  }
  [[nodiscard]] PickleId top() {
    const PickleId id = pop();
    stack_.push_back(id);
    return id;
  }

  std::string where_;
  PickleLimits limits_;
  Pickle made_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;  ///< how high the stack was at each MARK
  std::unordered_map<std::uint32_t, PickleId> memo_;
  std::size_t opcode_at_ = 0;
};

}  // namespace stamp::checkpoint::detail
