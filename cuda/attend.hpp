// SPDX-License-Identifier: Apache-2.0
// Attention over a mask policy, on the device: which kernel runs a call, and how its keys are
// split.
#pragma once

#include <algorithm>
#include <limits>
#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/ops/check_attention.hpp>
#include <stamp/ops/windows.hpp>

namespace stamp::cuda {

namespace detail {

/// The policy for kernels; one that has no rule is asked row by row and becomes a table.
template <DeviceElement T, MaskPolicy Mask>
[[nodiscard]] MaskRule rule_of(Engine<T>& engine, const Mask& mask, Index rows) {
  if constexpr (has_rule<Mask>) {
    return MaskRule(mask);
  } else {
    const auto table = engine.template allocate<Visible>(Tokens{rows});
    engine.device().upload(table.data(), rows * static_cast<Index>(sizeof(Visible)),
                           [&](std::byte* chunk, Index begin, Index count) {
                             constexpr auto size = static_cast<Index>(sizeof(Visible));
                             auto* const to = reinterpret_cast<Visible*>(chunk);
                             for (Index at = 0; at < count / size; ++at) {
                               to[at] = mask.visible(begin / size + at);
                             }
                           });
    return MaskRule(table.data());
  }
}

}  // namespace detail

/// Runs a call with a kernel of the caller's choice; `attend` takes the best one. For tests and
/// benchmarks; the kernel must be able to run the call (kernel_for).
template <DeviceElement T>
void attend_with(Engine<T>& engine, const AttendCall<T>& call, AttendKernel kernel) {
  if (call.y.rows == 0 || call.y.heads == 0 || call.y.dim == 0) return;
  // Kernels count packed rows and slots in 32 bits.
  constexpr Index most = std::numeric_limits<std::int32_t>::max();
  if (call.packed_rows() > most || call.key.rows > most) {
    fail(Fault::usage, "attend: expected up to " + std::to_string(most) + " rows and keys, found " +
                           std::to_string(call.packed_rows()) + " and " +
                           std::to_string(call.key.rows));
  }
  Device& device = engine.device();
  if (kernel == AttendKernel::naive) return kernel::attend_naive<T>(device.stream(), call);

  const auto frame = engine.frame();
  AttendParts parts{split_of(call, kernel, device.facts().multiprocessors)};
  if (parts.split.parts > 1) {
    const Index rows = parts.split.parts * call.key.heads * call.packed_rows();
    parts.largest = engine.template allocate<float>(Tokens{rows}).data();
    parts.sum = engine.template allocate<float>(Tokens{rows}).data();
    parts.values = engine.template allocate<float>(Tokens{rows}, HeadDim{call.y.dim}).data();
  }
  if (kernel == AttendKernel::tiled) {
    kernel::attend_tiled<T>(device.stream(), call, parts);
  } else if constexpr (std::same_as<T, bfloat16>) {
    if (kernel == AttendKernel::hopper) {
      kernel::attend_hopper(device.stream(), call, parts);
    } else {
      kernel::attend_tensor(device.stream(), call, parts);
    }
  }
  if (parts.split.parts > 1) kernel::attend_combine<T>(device.stream(), call, parts);
}

namespace detail {

template <DeviceElement T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend_call(Engine<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
                 View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale,
                 const Mask& mask, const RelativePosition<T>& bias) {
  const Index rows = y.extents()[0];
  // Policies that read device memory cannot be asked here; kernels cut off at the last key.
  if constexpr (known_on_host<Mask>) {
    for (Index row = 0; row < rows; ++row) check_visible(mask.visible(row), row, key.extents()[0]);
  }
  const auto frame = engine.frame();
  const AttendCall<T> call{erase(y),
                           erase(query),
                           erase(key),
                           erase(value),
                           static_cast<float>(scale),
                           rule_of(engine, mask, rows),
                           bias};
  attend_with(engine, call, kernel_for(call, engine.attention()));
}

}  // namespace detail

/// requirement::HasAttend. Policies of ops/mask.hpp are evaluated on the device; one of your own is
/// evaluated on the host, row by row, and must not point into device memory.
template <DeviceElement T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
            View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale, Mask mask) {
  check_attention(y, query, key, value);
  detail::attend_call<T>(engine, y, query, key, value, scale, mask, {});
}

/// requirement::HasRelativeAttend
template <DeviceElement T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
            View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale, Mask mask,
            const std::type_identity_t<RelativePosition<T>>& bias) {
  check_attention(y, query, key, value);
  check_positions(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  detail::attend_call<T>(engine, y, query, key, value, scale, mask, bias);
}

/// Attention inside each window (ops/windows.hpp), all of them in one launch: blocks of the mask,
/// each with relative positions of its own.
template <DeviceElement T, Axis R, Axis H, Axis D, class Query, class Key, class Value>
void attend_windows(Engine<T>& engine, View<T, R, H, D> y, const Query& query, const Key& key,
                    const Value& value, double scale, const RelativePosition<T>& bias) {
  check_attention(y, query, key, value);
  check_windows(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  const auto input = []<class U, Axis... Axes>(const View<U, Axes...>& view) {
    return erase(View<const T, Axes...>(view));
  };
  const AttendCall<T> call{erase(y),
                           input(query),
                           input(key),
                           input(value),
                           static_cast<float>(scale),
                           MaskRule(EqualBlocks{bias.area()}),
                           bias};
  attend_with(engine, call, kernel_for(call));
}

}  // namespace stamp::cuda
