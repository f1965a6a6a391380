// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pickle_stack.hpp>.
#pragma once

#include <stamp/checkpoint/pickle_stack.hpp>

namespace stamp::checkpoint::detail {

void PickleStack::push(PickleValue made) {
  if (made_.values.size() == limits_.values) {
    stop("more than " + std::to_string(limits_.values) + " values");
  }
  made_.values.push_back(std::move(made));
  push_id(static_cast<PickleId>(made_.values.size() - 1));
}

std::vector<PickleId> PickleStack::pop(std::size_t count) {
  const std::size_t hidden = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - hidden < count) stop("stack underflow");
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<PickleId> taken(first, stack_.end());
  stack_.erase(first, stack_.end());
  return taken;
}

std::vector<PickleId> PickleStack::pop_to_mark() {
  if (marks_.empty()) stop("stack without a MARK");
  auto taken = pop(stack_.size() - marks_.back());
  marks_.pop_back();
  return taken;
}

void PickleStack::mark() {
  if (marks_.size() == limits_.depth) {
    stop("nesting deeper than " + std::to_string(limits_.depth));
  }
  marks_.push_back(stack_.size());
}

PickleValue& PickleStack::top(PickleKind kind) {
  PickleValue& found = made_.values[top()];
  if (found.kind != kind) {
    stop("expected " + std::string(name_of(kind)) + " on the stack, found " +
         std::string(name_of(found.kind)));
  }
  return found;
}

void PickleStack::extend(PickleKind kind, const std::vector<PickleId>& items) {
  std::vector<PickleId>& held = top(kind).items;
  held.insert(held.end(), items.begin(), items.end());
}

Pickle PickleStack::finish(std::size_t end) {
  made_.root = pop();
  if (!stack_.empty() || !marks_.empty()) stop("STOP with values left on the stack");
  made_.end = end;
  return std::move(made_);
}

void PickleStack::put(std::uint32_t index) {
  if (memo_.size() == limits_.memo && !memo_.contains(index)) {
    stop("more than " + std::to_string(limits_.memo) + " values in the memo");
  }
  memo_[index] = top();
}

void PickleStack::get(std::uint32_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) stop("memo index " + std::to_string(index) + " was never written");
  push_id(found->second);
}

void PickleStack::stop(const std::string& what) const {
  fail(Fault::input, where_ + ": byte " + std::to_string(opcode_at_) + ": " + what);
}

void PickleStack::push_id(PickleId id) {
  if (stack_.size() == limits_.stack) {
    stop("more than " + std::to_string(limits_.stack) + " values on the stack");
  }
  stack_.push_back(id);
}

PickleId PickleStack::top() {
  const PickleId id = pop();
  stack_.push_back(id);
  return id;
}

}  // namespace stamp::checkpoint::detail
