// SPDX-License-Identifier: Apache-2.0
// A window on somebody else's numbers whose axes are part of its type.
// The last axes are dense; the first one has a stride, so a column slice of a product is a view.
#pragma once

#include <array>
#include <cstddef>
#include <stamp/tensor/axis.hpp>
#include <string>
#include <tuple>
#include <type_traits>

namespace stamp {

template <class T, Axis... Axes>
class View;

namespace detail {
template <class T, class First, class... Rest>
struct RowOf {
  using type = View<T, Rest...>;
};
template <class T, class Only>
struct RowOf<T, Only> {
  using type = T&;
};
template <class Wanted, class... Axes>
consteval std::size_t position_of() {
  const std::array<bool, sizeof...(Axes)> same{std::is_same_v<Wanted, Axes>...};
  for (std::size_t axis = 0; axis < same.size(); ++axis) {
    if (same[axis]) return axis;
  }
  return same.size();
}
}  // namespace detail

/// Non-owning tensor of shape (Axes...). `T` is const for an input.
template <class T, Axis... Axes>
class View {
 public:
  static constexpr std::size_t rank = sizeof...(Axes);
  static_assert(rank >= 1, "a view has at least one axis");
  using Value = std::remove_const_t<T>;
  using FirstAxis = std::tuple_element_t<0, std::tuple<Axes...>>;

  View() = default;
  /// Dense, row-major.
  explicit View(T* data, Axes... axes) : data_(data), extents_{axes.size...} {
    stride_ = 1;
    for (std::size_t axis = 1; axis < rank; ++axis) stride_ *= extents_[axis];
  }
  /// `stride` elements lie between consecutive entries of the first axis.
  View(T* data, Index stride, Axes... axes)
      : data_(data), extents_{axes.size...}, stride_(stride) {}
  /// A view of mutable numbers reads as a view of constant ones.
  template <class U>
    requires(std::is_same_v<T, const U>)
  View(const View<U, Axes...>& other)  // NOLINT(google-explicit-constructor): adds const only
      : data_(other.data()), extents_(other.extents()), stride_(other.stride()) {}

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] const std::array<Index, rank>& extents() const { return extents_; }
  /// Elements between consecutive entries of the first axis.
  [[nodiscard]] Index stride() const { return stride_; }
  [[nodiscard]] Index size() const {
    Index product = 1;
    for (const Index extent : extents_) product *= extent;
    return product;
  }
  /// Elements in one entry of the first axis.
  [[nodiscard]] Index row_size() const {
    Index product = 1;
    for (std::size_t axis = 1; axis < rank; ++axis) product *= extents_[axis];
    return product;
  }
  [[nodiscard]] bool dense() const { return stride_ == row_size() || extents_[0] <= 1; }

  /// The axis of this type with its extent: `view.template axis<Tokens>().size`.
  template <Axis Wanted>
  [[nodiscard]] Wanted axis() const {
    constexpr std::size_t at = detail::position_of<Wanted, Axes...>();
    static_assert(at < rank, "this view has no such axis");
    return Wanted{extents_[at]};
  }
  /// The axis at a position.
  template <std::size_t At>
  [[nodiscard]] auto axis_at() const {
    return std::tuple_element_t<At, std::tuple<Axes...>>{extents_[At]};
  }

  /// Entry `index` of the first axis: a view of the remaining axes, or the element itself.
  [[nodiscard]] decltype(auto) operator[](Index index) const {
    if constexpr (rank == 1) {
      return (data_[index * stride_]);
    } else {
      return row(index, std::make_index_sequence<rank - 1>{});
    }
  }

 private:
  template <std::size_t... At>
  [[nodiscard]] auto row(Index index, std::index_sequence<At...>) const {
    return typename detail::RowOf<T, Axes...>::type(data_ + index * stride_, axis_at<At + 1>()...);
  }

  T* data_ = nullptr;
  std::array<Index, rank> extents_{};
  Index stride_ = 0;
};

/// An input of an operation. Not deduced: only the output of an operation deduces types and axes.
template <class T, Axis... Axes>
using In = std::type_identity_t<View<const T, Axes...>>;

/// The product of extents that may come from an untrusted file: Error{input} names `what`.
template <Axis... Axes>
[[nodiscard]] Index checked_size(std::string_view what, Axes... axes) {
  Index size = 1;
  ((size = checked_multiply(size, axes.size, what)), ...);
  return size;
}

/// The axes of a view as an error message shows them.
template <class T, Axis... Axes>
[[nodiscard]] std::array<NamedExtent, sizeof...(Axes)> named_extents(const View<T, Axes...>& view) {
  std::size_t at = 0;
  return {NamedExtent{Axes::name, view.extents()[at++]}...};
}

/// "(Tokens 7, Hidden 1536)" for error messages.
template <class T, Axis... Axes>
[[nodiscard]] std::string describe(const View<T, Axes...>& view) {
  return describe_extents(named_extents(view));
}

/// Throws unless both views have the same shape; `where` is the operation's name.
template <class T, class U, Axis... Axes, Axis... Others>
void check_same_shape(std::string_view where, const View<T, Axes...>& expected,
                      const View<U, Others...>& found) {
  bool same = sizeof...(Axes) == sizeof...(Others);
  if constexpr (sizeof...(Axes) == sizeof...(Others)) {
    same = expected.extents() == found.extents();
  }
  if (!same) fail_shape(where, named_extents(expected), named_extents(found));
}

/// Throws unless an axis has the extent that another operand needs; names the axis.
template <Axis A>
void check_extent(std::string_view where, A expected, A found) {
  if (expected.size != found.size) fail_extent(where, A::name, expected.size, found.size);
}

}  // namespace stamp
