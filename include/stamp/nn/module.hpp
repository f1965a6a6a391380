// SPDX-License-Identifier: Apache-2.0
// What makes a struct a module: a table of its parts under the checkpoint's names.
// Binding weights, counting parameters, listing what is missing and naming what was found all
// walk that one table.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <stamp/tensor/axis.hpp>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace stamp {

/// One entry of a module's table: the checkpoint's name of a member.
template <class Module, class Member>
struct Part {
  std::string_view name;
  Member Module::* member;
};
template <class Module, class Member>
Part(const char*, Member Module::*) -> Part<Module, Member>;

/// A module made of modules: it has a `parts` table.
template <class M>
concept Composite = requires { M::parts; };

/// "a.b"; an empty scope or name adds no dot. A leaf that is one bare tensor names it "".
[[nodiscard]] inline std::string join(std::string_view scope, std::string_view name) {
  const bool dot = !scope.empty() && !name.empty();
  return std::string(scope) + (dot ? "." : "") + std::string(name);
}

/// A composite whose first `of_one_input` parts are linear layers (nn/linear.hpp) that multiply one
/// and the same input.
template <class M>
concept SharesInput = Composite<M> && requires { M::of_one_input; };

/// visit(leaf, name) for every leaf below `module`: through tables, lists ("layers.3") and
/// optional parts that are there. enter(composite) before its leaves.
template <class M, class Visit, class Enter>
void for_each_leaf(M& module, const std::string& name, const Visit& visit, const Enter& enter) {
  if constexpr (Composite<M>) {
    enter(module);
    std::apply(
        [&](const auto&... part) {
          (for_each_leaf(module.*part.member, join(name, part.name), visit, enter), ...);
        },
        std::remove_const_t<M>::parts);
  } else if constexpr (requires { module.has_value(); }) {
    if (module) for_each_leaf(*module, name, visit, enter);
  } else if constexpr (requires {
                         module.size();
                         module[0];
                       }) {
    for (std::size_t at = 0; at < module.size(); ++at) {
      for_each_leaf(module[at], join(name, std::to_string(at)), visit, enter);
    }
  } else {
    visit(module, name);
  }
}
template <class M, class Visit>
void for_each_leaf(M& module, const std::string& name, const Visit& visit) {
  for_each_leaf(module, name, visit, [](const auto&) {});
}

/// Everything that `module` wants from a checkpoint, in the order of its tables.
template <class M>
[[nodiscard]] std::vector<ExpectedTensor> expected_tensors(const M& module,
                                                           const std::string& scope = "") {
  std::vector<ExpectedTensor> expected;
  for_each_leaf(module, scope, [&](const auto& leaf, const std::string& name) {
    leaf.tensors([&](std::string_view tensor, std::vector<Index> shape, std::string axes) {
      expected.push_back({join(name, tensor), std::move(shape), std::move(axes)});
    });
  });
  return expected;
}

/// Sum of the elements of all tensors that `module` wants.
template <class M>
[[nodiscard]] Index count_parameters(const M& module) {
  Index sum = 0;
  for (const ExpectedTensor& tensor : expected_tensors(module)) {
    Index product = 1;
    for (const Index extent : tensor.shape) product *= extent;
    sum += product;
  }
  return sum;
}

/// What is wrong with a source for these tensors, one sentence a tensor; empty when nothing is.
template <WeightSource Source>
[[nodiscard]] std::vector<std::string> mismatches(const std::vector<ExpectedTensor>& expected,
                                                  const Source& source) {
  std::vector<std::string> problems;
  for (const ExpectedTensor& tensor : expected) {
    const std::optional<StoredTensor> found = source.find(tensor.name);
    if (!found) {
      problems.push_back(tensor.name + ": expected " + tensor.axes + ", the file has none");
    } else if (!std::equal(found->shape().begin(), found->shape().end(), tensor.shape.begin(),
                           tensor.shape.end())) {
      problems.push_back(tensor.name + ": expected " + tensor.axes + ", the file has " +
                         to_string(found->shape()));
    }
  }
  return problems;
}

/// Tells an engine with `binding_together(leaves, out)` which of a module's leaves, those that come
/// next, multiply one input, to `out` outputs between them: it may keep them behind one another.
template <class B, class M>
void tell_of_one_input(B& engine, const M& module) {
  if constexpr (SharesInput<M> && requires { engine.binding_together(Index{}, Index{}); }) {
    [&]<std::size_t... At>(std::index_sequence<At...>) {
      engine.binding_together(static_cast<Index>(sizeof...(At)),
                              ((module.*std::get<At>(M::parts).member).out.size + ...));
    }(std::make_index_sequence<M::of_one_input>{});
  }
}

/// Gives every leaf of `module` its tensors. An engine with `binding(name)` is told which leaf
/// comes, since what it keeps a weight in may depend on its place, and with "" that all are bound.
/// Throws Error{input} that lists the first twenty missing or misshapen tensors together, before
/// anything is bound.
template <class B, class M, WeightSource Source>
void bind(B& engine, M& module, const Source& source, const std::string& scope = "") {
  const std::vector<std::string> problems = mismatches(expected_tensors(module, scope), source);
  if (!problems.empty()) fail(Fault::input, first_of(problems));
  const auto tell = [&](const std::string& name) {
    if constexpr (requires { engine.binding(name); }) engine.binding(name);
  };
  const auto visit = [&](auto& leaf, const std::string& name) {
    tell(name);
    leaf.bind(engine, [&](std::string_view tensor) { return *source.find(join(name, tensor)); });
  };
  for_each_leaf(module, scope, visit,
                [&](const auto& composite) { tell_of_one_input(engine, composite); });
  tell({});
}

/// "(Ffn 8960, Hidden 1536)".
template <Axis... Axes>
[[nodiscard]] std::string describe_axes(Axes... axes) {
  return describe_extents(std::array{NamedExtent{Axes::name, axes.size}...});
}

}  // namespace stamp
