// SPDX-License-Identifier: Apache-2.0
// Operations that treat rows one by one: norms, non-linear functions, rotary turns, embedding
// rows, sums and copies. Rows are shared among the threads where there are enough numbers.
#pragma once

#include <algorithm>
#include <stamp/cpu/matmul.hpp>

namespace stamp::cpu {

namespace detail {

/// body(row) for each row, on the pool when `row_size` numbers a row make that worth its while.
template <class Body>
void for_each_row(Engine& engine, Index rows, Index row_size, const Body& body) {
  constexpr Index numbers_a_task = 16384;  // some microseconds
  const Index together = std::max<Index>(1, numbers_a_task / std::max<Index>(1, row_size));
  engine.pool().run((rows + together - 1) / together, rows * row_size / 4, [&](Index task, Index) {
    for (Index row = task * together; row < std::min(rows, (task + 1) * together); ++row) {
      body(row);
    }
  });
}

}  // namespace detail

/// requirement::HasRmsNorm
template <Axis R, Axis A>
void rms_norm(Engine& engine, View<float, R, A> y, In<float, R, A> x,
              const std::type_identity_t<Tensor<float, A>>& weight, double eps) {
  check_same_shape("rms_norm", y, x);
  check_extent("rms_norm weight", y.template axis_at<1>(), weight.view().template axis_at<0>());
  const Index width = y.extents()[1];
  detail::for_each_row(engine, y.extents()[0], width, [&](Index row) {
    engine.kernels().rms_norm(y.data() + row * y.stride(), x.data() + row * x.stride(),
                              weight.values().data(), static_cast<float>(eps), width);
  });
}

/// requirement::HasLayerNorm
template <Axis R, Axis A>
void layer_norm(Engine& engine, View<float, R, A> y, In<float, R, A> x,
                const std::type_identity_t<Tensor<float, A>>& weight,
                const std::type_identity_t<Tensor<float, A>>& bias, double eps) {
  check_same_shape("layer_norm", y, x);
  check_extent("layer_norm weight", y.template axis_at<1>(), weight.view().template axis_at<0>());
  check_extent("layer_norm bias", y.template axis_at<1>(), bias.view().template axis_at<0>());
  const Index width = y.extents()[1];
  detail::for_each_row(engine, y.extents()[0], width, [&](Index row) {
    engine.kernels().layer_norm(y.data() + row * y.stride(), x.data() + row * x.stride(),
                                weight.values().data(), bias.values().data(),
                                static_cast<float>(eps), width);
  });
}

/// requirement::HasQuickGelu
template <Axis R, Axis A>
void quick_gelu(Engine& engine, View<float, R, A> x) {
  detail::for_each_row(engine, x.extents()[0], x.extents()[1], [&](Index row) {
    engine.kernels().quick_gelu(x.data() + row * x.stride(), x.extents()[1]);
  });
}

/// requirement::HasGelu
template <Axis R, Axis A>
void gelu(Engine& engine, View<float, R, A> x) {
  detail::for_each_row(engine, x.extents()[0], x.extents()[1], [&](Index row) {
    engine.kernels().gelu(x.data() + row * x.stride(), x.extents()[1]);
  });
}

/// requirement::HasRelu; NaN stays NaN.
template <Axis R, Axis A>
void relu(Engine& engine, View<float, R, A> x) {
  detail::for_each_row(engine, x.extents()[0], x.extents()[1], [&](Index row) {
    float* const values = x.data() + row * x.stride();
    for (Index at = 0; at < x.extents()[1]; ++at) values[at] = values[at] < 0 ? 0 : values[at];
  });
}

/// requirement::HasSwiglu
template <Axis R, Axis A>
void swiglu(Engine& engine, View<float, R, A> gate, In<float, R, A> up) {
  check_same_shape("swiglu", gate, up);
  detail::for_each_row(engine, gate.extents()[0], gate.extents()[1], [&](Index row) {
    engine.kernels().swiglu(gate.data() + row * gate.stride(), up.data() + row * up.stride(),
                            gate.extents()[1]);
  });
}

/// requirement::HasEmbed; Error{usage} names an id that has no row.
template <Axis R, Axis V, Axis A>
void embed(Engine&, View<float, R, A> y, const Table<V, A>& table,
           std::span<const std::int32_t> ids) {
  check_extent("embed", R{static_cast<Index>(ids.size())}, y.template axis_at<0>());
  check_extent("embed", table.width, y.template axis_at<1>());
  const Index width = table.width.size;
  for (Index token = 0; token < y.extents()[0]; ++token) {
    const Index id = ids[static_cast<std::size_t>(token)];
    if (id < 0 || id >= table.rows.size) {
      fail(Fault::usage, "embed: token " + std::to_string(token) + ": expected an id below " +
                             std::to_string(table.rows.size) + ", found " + std::to_string(id));
    }
    float* const to = y.data() + token * y.stride();
    const bool again = token > 0 && ids[static_cast<std::size_t>(token - 1)] == id;
    if (again) {  // the mask tokens of an object
      std::copy(to - y.stride(), to - y.stride() + width, to);
    } else {
      widen_stored(table.stored, id * width, width, to);
    }
  }
}

/// requirement::HasRotate
template <Axis R, Axis H, Axis D>
void rotate(Engine& engine, View<float, R, H, D> x, In<float, R, Pairs> cosine,
            In<float, R, Pairs> sine) {
  const Index pairs = x.extents()[2] / 2;
  check_extent("rotate", x.template axis_at<0>(), cosine.template axis_at<0>());
  check_extent("rotate", x.template axis_at<0>(), sine.template axis_at<0>());
  check_extent("rotate", Pairs{pairs}, cosine.template axis_at<1>());
  check_extent("rotate", Pairs{pairs}, sine.template axis_at<1>());
  detail::for_each_row(engine, x.extents()[0], x.row_size(), [&](Index row) {
    for (Index head = 0; head < x.extents()[1]; ++head) {
      float* const low = x.data() + row * x.stride() + head * x.extents()[2];
      engine.kernels().rotate(low, low + pairs, cosine.data() + row * cosine.stride(),
                              sine.data() + row * sine.stride(), pairs);
    }
  });
}

/// requirement::HasAdd
template <Axis... Axes>
void add(Engine& engine, View<float, Axes...> y, In<float, Axes...> x) {
  check_same_shape("add", y, x);
  detail::for_each_row(engine, y.extents()[0], y.row_size(), [&](Index row) {
    engine.kernels().add(y.data() + row * y.stride(), x.data() + row * x.stride(), y.row_size());
  });
}

/// z = x + y in one step (ops/fused.hpp).
template <Axis R, Axis A, class X, class Y>
void sum(Engine& engine, View<float, R, A> z, const X& x, const Y& y) {
  check_same_shape("sum", z, x);
  check_same_shape("sum", z, y);
  detail::for_each_row(engine, z.extents()[0], z.row_size(), [&](Index row) {
    engine.kernels().sum(z.data() + row * z.stride(), x.data() + row * x.stride(),
                         y.data() + row * y.stride(), z.row_size());
  });
}

/// requirement::HasCopy
template <Axis... Axes>
void copy(Engine& engine, View<float, Axes...> y, In<float, Axes...> x) {
  check_same_shape("copy", y, x);
  detail::for_each_row(engine, y.extents()[0], y.row_size(), [&](Index row) {
    const float* const from = x.data() + row * x.stride();
    std::copy(from, from + x.row_size(), y.data() + row * y.stride());
  });
}

/// requirement::HasGatherRows; Error{usage} names an index that has no row.
template <Axis R, Axis A, Axis S>
void gather_rows(Engine& engine, View<float, R, A> y, View<const float, S, A> x,
                 In<std::int32_t, R> index) {
  check_extent("gather_rows", y.template axis_at<0>(), index.template axis_at<0>());
  check_extent("gather_rows", y.template axis_at<1>(), x.template axis_at<1>());
  for (Index row = 0; row < y.extents()[0]; ++row) {
    if (index[row] < x.extents()[0]) continue;
    fail(Fault::usage, "gather_rows: row " + std::to_string(row) + ": expected an index below " +
                           std::to_string(x.extents()[0]) + ", found " +
                           std::to_string(index[row]));
  }
  const Index width = y.extents()[1];
  detail::for_each_row(engine, y.extents()[0], width, [&](Index row) {
    float* const to = y.data() + row * y.stride();
    if (index[row] < 0) {
      std::fill(to, to + width, 0.0F);
    } else {
      const float* const from = x.data() + index[row] * x.stride();
      std::copy(from, from + width, to);
    }
  });
}

/// requirement::HasActivationProduct. Few outputs, as many as SAM has masks: nothing is packed.
template <Axis R, Axis O, Axis I>
void matmul(Engine& engine, View<float, R, O> y, In<float, R, I> x, View<const float, O, I> w) {
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.template axis_at<0>(), y.template axis_at<1>());
  check_extent("matmul", w.template axis_at<1>(), x.template axis_at<1>());
  detail::for_each_row(engine, y.extents()[0], y.extents()[1] * x.extents()[1], [&](Index row) {
    const float* const from = x.data() + row * x.stride();
    for (Index out = 0; out < y.extents()[1]; ++out) {
      const float* const weights = w.data() + out * w.stride();
      float sum = 0;
      for (Index in = 0; in < x.extents()[1]; ++in) sum += from[in] * weights[in];
      y.data()[row * y.stride() + out] = sum;
    }
  });
}

/// The places of the largest numbers (ops/fused.hpp), where they stand.
template <Axis R, Axis A>
void first_largest(Engine&, std::span<std::int32_t> places, View<float, R, A> x) {
  check_count("first_largest", x.extents()[0], places.size());
  for (Index row = 0; row < x.extents()[0]; ++row) {
    places[static_cast<std::size_t>(row)] = place_of_largest(std::span<const float>(
        x.data() + row * x.stride(), static_cast<std::size_t>(x.extents()[1])));
  }
}

/// What top-k keeps of the rows (ops/fused.hpp), from where they stand.
template <Axis R, Axis A>
void top_k(Engine&, KeptScores& kept, View<float, R, A> x, const TopK& how,
           std::span<const std::int32_t> history, std::span<const std::int32_t> ahead = {}) {
  check_count("top_k", x.extents()[0], ahead.size() + 1);
  kept.clear();
  for (std::size_t row = 0; row <= ahead.size(); ++row) {
    const std::span<const float> numbers(x.data() + static_cast<Index>(row) * x.stride(),
                                         static_cast<std::size_t>(x.extents()[1]));
    keep_top_k(kept, numbers, how, history, ahead.first(row));
  }
}

}  // namespace stamp::cpu
