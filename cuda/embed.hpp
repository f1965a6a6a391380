// SPDX-License-Identifier: Apache-2.0
// Rows by number. An embedding table stays in its file; each different row that a call names
// travels once, and the device repeats it.
#pragma once

#include <stamp/cuda/distinct.hpp>
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

/// requirement::HasEmbed; Error{usage} names an id that has no row.
template <DeviceElement T, Axis R, Axis V, Axis A>
void embed(Engine<T>& engine, View<T, R, A> y, const Table<V, A>& table,
           std::span<const std::int32_t> ids) {
  check_extent("embed", R{static_cast<Index>(ids.size())}, y.template axis_at<0>());
  check_extent("embed", table.width, y.template axis_at<1>());
  for (std::size_t token = 0; token < ids.size(); ++token) {
    if (ids[token] < 0 || ids[token] >= table.rows.size) {
      fail(Fault::usage, "embed: token " + std::to_string(token) + ": expected an id below " +
                             std::to_string(table.rows.size) + ", found " +
                             std::to_string(ids[token]));
    }
  }
  if (ids.empty()) return;
  const auto frame = engine.frame();
  const Distinct distinct(ids);
  const Index width = table.width.size;
  const auto count = static_cast<Index>(distinct.values.size());
  std::vector<float> numbers(static_cast<std::size_t>(count * width));
  for (Index at = 0; at < count; ++at) {
    widen_stored(table.stored, distinct.values[static_cast<std::size_t>(at)] * width, width,
                 numbers.data() + at * width);
  }
  if (distinct.values.size() == ids.size() && y.dense()) {  // a word: nothing to repeat
    return engine.upload(y, std::span<const float>(numbers));
  }
  const auto rows = engine.template allocate<T>(R{count}, table.width);
  const auto which = engine.template allocate<std::int32_t>(y.template axis_at<0>());
  engine.upload(rows, std::span<const float>(numbers));
  engine.upload(which, std::span<const std::int32_t>(distinct.which));
  kernel::gather<T>(engine.device().stream(), erase(y), erase(View<const T, R, A>(rows)),
                    which.data());
}

/// requirement::HasGatherRows. The numbers are on the device and not read here: a row that x does
/// not have becomes NaN.
template <DeviceElement T, Axis R, Axis A, Axis S>
void gather_rows(Engine<T>& engine, View<T, R, A> y, View<const T, S, A> x,
                 In<std::int32_t, R> index) {
  check_extent("gather_rows", y.template axis_at<0>(), index.template axis_at<0>());
  check_extent("gather_rows", y.template axis_at<1>(), x.template axis_at<1>());
  kernel::gather<T>(engine.device().stream(), erase(y), erase(x), index.data());
}

}  // namespace stamp::cuda
