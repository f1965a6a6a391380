// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding on the device.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

/// requirement::HasRotate
template <DeviceElement T, Axis R, Axis H, Axis D>
void rotate(Engine<T>& engine, View<T, R, H, D> x, In<float, R, Pairs> cosine,
            In<float, R, Pairs> sine) {
  const Index pairs = x.extents()[2] / 2;
  check_extent("rotate", x.template axis_at<0>(), cosine.template axis_at<0>());
  check_extent("rotate", x.template axis_at<0>(), sine.template axis_at<0>());
  check_extent("rotate", Pairs{pairs}, cosine.template axis_at<1>());
  check_extent("rotate", Pairs{pairs}, sine.template axis_at<1>());
  kernel::rotate<T>(engine.device().stream(), erase(x), erase(cosine), erase(sine));
}

namespace detail {

template <DeviceElement T, Axis R, Axis H, Axis KH, Axis D>
void rotate_and_store_from(Engine<T>& engine, const View<T, R, H, D>& query,
                           const View<T, Keys, KH, D>& keys, const View<T, Keys, KH, D>& values,
                           In<T, R, KH, D> from, In<T, R, KH, D> copied, In<float, R, Pairs> c,
                           In<float, R, Pairs> s, const std::int32_t* first) {
  check_same_shape("rotate_and_store value", keys, values);
  check_same_shape("rotate_and_store value", from, copied);
  check_extent("rotate_and_store key", keys.template axis_at<1>(), from.template axis_at<1>());
  check_extent("rotate_and_store", query.template axis_at<0>(), from.template axis_at<0>());
  check_extent("rotate_and_store", query.template axis_at<2>(), from.template axis_at<2>());
  check_extent("rotate_and_store", query.template axis_at<0>(), c.template axis_at<0>());
  check_extent("rotate_and_store", Pairs{query.extents()[2] / 2}, c.template axis_at<1>());
  check_same_shape("rotate_and_store", c, s);
  kernel::rotate_and_store<T>(engine.device().stream(), erase(query), erase(keys), erase(values),
                              erase(from), erase(copied), erase(c), erase(s), first);
}

}  // namespace detail

/// query = rotate(query), keys = rotate(key), values = value (ops/fused.hpp).
template <DeviceElement T, Axis R, Axis H, Axis KH, Axis D, class Key, class Value, class Angles>
void rotate_and_store(Engine<T>& engine, View<T, R, H, D> query, View<T, Keys, KH, D> keys,
                      View<T, Keys, KH, D> values, const Key& key, const Value& value,
                      const Angles& cosine, const Angles& sine) {
  check_extent("rotate_and_store key", keys.template axis_at<0>(),
               Keys{query.template axis_at<0>().size});
  detail::rotate_and_store_from<T, R, H, KH, D>(engine, query, keys, values, key, value, cosine,
                                                sine, nullptr);
}

/// The same into the rows of keys and values from *slot.first on (ops/replay.hpp).
template <DeviceElement T, Axis R, Axis H, Axis KH, Axis D, class Key, class Value, class Angles>
void rotate_and_store(Engine<T>& engine, View<T, R, H, D> query, View<T, Keys, KH, D> keys,
                      View<T, Keys, KH, D> values, const Key& key, const Value& value,
                      const Angles& cosine, const Angles& sine, SlotAt slot) {
  detail::rotate_and_store_from<T, R, H, KH, D>(engine, query, keys, values, key, value, cosine,
                                                sine, slot.first);
}

}  // namespace stamp::cuda
