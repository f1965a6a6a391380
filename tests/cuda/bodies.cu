// SPDX-License-Identifier: Apache-2.0
// The walks; grids and alignment as the launches in cuda/*.cu choose them.
#include <cstring>
#include <cuda/bodies.hpp>
#include <cuda/walk.cuh>
#include <stamp/cuda/activation.cuh>
#include <stamp/cuda/attend/combine.cuh>
#include <stamp/cuda/attend/naive.cuh>
#include <stamp/cuda/attend/tiled.cuh>
#include <stamp/cuda/cut_picture.cuh>
#include <stamp/cuda/largest.cuh>
#include <stamp/cuda/mask_head.cuh>
#include <stamp/cuda/norm.cuh>
#include <stamp/cuda/norm_matmul.cuh>
#include <stamp/cuda/product.cuh>
#include <stamp/cuda/rotate.cuh>
#include <stamp/cuda/top_k.cuh>

namespace stamp::test::walked {

using namespace stamp::cuda;

template <Element T>
void rms_norm(Erased<T> y, Erased<const T> x, const T* weight, float eps) {
  std::vector<float> shared(norm_shared);
  const bool aligned = aligned_operands(y, x, weight);
  walk<NormRegisters<T>>(norm_threads, y.rows, 1, 1, shared, [&](auto& block) {
    rms_norm_body(block, shared.data(), y, x, weight, eps, aligned);
  });
}
template <Element T>
void layer_norm(Erased<T> y, Erased<const T> x, const LayerNorm<T>& norm) {
  const bool aligned = aligned_operands(y, x, norm);
  const Index groups = (y.rows + layer_norm_rows_together - 1) / layer_norm_rows_together;
  walk<LayerNormRegisters<T>>(norm_threads, groups,
                              [&](auto& block) { layer_norm_body(block, y, x, norm, aligned); });
}
template <Element T>
void norm_matmul(const NormMatmul<T>& call) {
  const Index groups = (call.y.rows + norm_matmul_rows - 1) / norm_matmul_rows;
  walk<NormMatmulRegisters>(norm_matmul_threads, groups, [&](auto& block) {
    norm_matmul_body(block, call, aligned_operands(call));
  });
}

namespace {
template <Element T>
Erased<const T> as_input(Erased<T> x) {
  return {x.data, x.rows, x.columns, x.stride};
}
template <Element T, class Function>
void pointwise(Erased<T> z, Erased<const T> y, Erased<const T> x, Function function) {
  const bool aligned = aligned_rows(z.data, z.stride) && aligned_rows(y.data, y.stride) &&
                       aligned_rows(x.data, x.stride);
  const Index chunks = (z.columns + pointwise_columns - 1) / pointwise_columns;
  walk<NoRegisters>(pointwise_threads, z.rows * chunks,
                    [&](auto& block) { pointwise_body(block, z, y, x, aligned, function); });
}
template <Element T, class Function>
void pointwise(Erased<T> y, Erased<const T> x, Function function) {
  pointwise(y, as_input(y), x, function);
}
}  // namespace

template <Element T>
void quick_gelu(Erased<T> x) {
  pointwise(x, as_input(x), QuickGelu{});
}
template <Element T>
void gelu(Erased<T> x) {
  pointwise(x, as_input(x), Gelu{});
}
template <Element T>
void relu(Erased<T> x) {
  pointwise(x, as_input(x), Relu{});
}
template <Element T>
void swiglu(Erased<T> gate, Erased<const T> up) {
  pointwise(gate, up, Swiglu{});
}
template <Element T>
void add(Erased<T> y, Erased<const T> x) {
  pointwise(y, x, Add{});
}
template <Element T>
void sum(Erased<T> z, Erased<const T> y, Erased<const T> x) {
  pointwise(z, y, x, Add{});
}
template <Element T>
void copy(Erased<T> y, Erased<const T> x) {
  pointwise(y, x, Copy{});
}

template <Element T>
void rotate(ErasedHeads<T> x, Erased<const float> cosine, Erased<const float> sine) {
  const bool aligned = aligned_heads(x) && aligned_angles(cosine, sine);
  walk<NoRegisters>(rotate_threads, x.rows,
                    [&](auto& block) { rotate_body(block, x, cosine, sine, aligned); });
}
template <Element T>
void rotate_and_store(ErasedHeads<T> query, ErasedHeads<T> keys, ErasedHeads<T> values,
                      ErasedHeads<const T> key, ErasedHeads<const T> value,
                      Erased<const float> cosine, Erased<const float> sine,
                      const std::int32_t* first) {
  const bool aligned =
      aligned_operands(query, keys, values, key, value) && aligned_angles(cosine, sine);
  walk<NoRegisters>(rotate_threads, query.rows, [&](auto& block) {
    rotate_and_store_body(block, query, keys, values, key, value, cosine, sine, first, aligned);
  });
}
template <Element T>
void largest_of_part(Candidate* candidates, Erased<const T> x) {
  std::vector<Candidate> shared(largest_threads);
  std::vector<float> none;
  walk<Candidate>(largest_threads, x.rows, largest_parts(x.columns), 1, none, [&](auto& block) {
    largest_of_part_body(block, shared.data(), candidates, x, aligned_rows(x.data, x.stride));
  });
}
void largest_of_parts(std::int32_t* places, const Candidate* candidates, Index rows, Index parts) {
  std::vector<Candidate> shared(largest_threads);
  walk<Candidate>(largest_threads, rows, [&](auto& block) {
    largest_of_parts_body(block, shared.data(), places, candidates, parts);
  });
}
template <Element T>
void largest_of_groups(const TopKCall<T>& call) {
  std::vector<float> shared(top_k_threads);
  walk<NoRegisters>(top_k_threads, call.x.rows, top_k_parts(call.x.columns), 1, shared,
                    [&](auto& block) {
                      largest_of_groups_body(block, shared.data(), call,
                                             aligned_rows(call.x.data, call.x.stride));
                    });
}
template <Element T>
void found_of_row(const TopKCall<T>& call) {
  walk<TopKRegisters>(top_k_threads, call.x.rows, [&](auto& block) {
    TopKShared shared;
    std::memset(&shared, 0xff, sizeof(shared));
    found_of_row_body(block, shared, call, aligned_rows(call.x.data, call.x.stride));
  });
}
template <Element T>
void gather(Erased<T> y, Erased<const T> x, const std::int32_t* which) {
  const bool aligned = aligned_rows(y.data, y.stride) && aligned_rows(x.data, x.stride);
  const Index chunks = (y.columns + pointwise_columns - 1) / pointwise_columns;
  walk<NoRegisters>(pointwise_threads, y.rows * chunks,
                    [&](auto& block) { gather_body(block, y, x, which, aligned); });
}

void resize_across(std::uint8_t* to, const std::uint8_t* from, Index rows, Index columns,
                   Index outputs, const ByteFilter& filter) {
  walk<PictureRegisters>(picture_threads, rows * picture_chunks(outputs * 3), [&](auto& block) {
    resize_across_body(block, to, from, columns, outputs, filter);
  });
}
void resize_down(std::uint8_t* to, const std::uint8_t* from, Index samples, Index outputs,
                 const ByteFilter& filter) {
  walk<PictureRegisters>(picture_threads, outputs * picture_chunks(samples),
                         [&](auto& block) { resize_down_body(block, to, from, samples, filter); });
}
template <Element T>
void cut_patches(Erased<T> y, const std::uint8_t* pixels, const T* levels,
                 const PatchOrder& order) {
  walk<PictureRegisters>(picture_threads, y.rows,
                         [&](auto& block) { cut_patches_body(block, y, pixels, levels, order); });
}

template <Element T>
void cut_picture(Erased<T> y, const std::uint8_t* pixels, const PictureCut& cut) {
  const auto resident = [](const FixedFilter& filter) {
    return ByteFilter{filter.firsts.data(), filter.sizes.data(), filter.weights.data(),
                      static_cast<std::int32_t>(filter.widest), filter.bits};
  };
  const Index width = cut.resized_width();
  std::vector<std::uint8_t> wide(static_cast<std::size_t>(cut.height * width * 3), 77);
  std::vector<std::uint8_t> whole(static_cast<std::size_t>(cut.resized_height() * width * 3), 77);
  if (cut.across.outputs() > 0) {
    resize_across(wide.data(), pixels, cut.height, cut.width, width, resident(cut.across));
    pixels = wide.data();
  }
  if (cut.down.outputs() > 0) {
    resize_down(whole.data(), pixels, width * 3, cut.resized_height(), resident(cut.down));
    pixels = whole.data();
  }
  std::vector<T> levels;
  for (const auto& channel : cut.levels) {
    for (const float level : channel) levels.push_back(narrow<T>(level));
  }
  cut_patches(y, pixels, levels.data(), PatchOrder{width, cut.side, cut.frames, cut.merge});
}

template <Element T>
void mask_head(const MaskHead<T>& call, Index window) {
  std::vector<float> logits(static_cast<std::size_t>(window));
  std::vector<TileForeground> foregrounds(mask_head_threads, {-1, NAN});
  walk<MaskHeadRegisters>(
      mask_head_threads, call.rows.tiles, call.columns.tiles, 1, logits, [&](auto& block) {
        mask_head_body(block, logits.data(), foregrounds.data(), call, aligned_operands(call));
      });
}

namespace {
/// A small device, so that most launches take turns.
constexpr Index at_once = 3;
template <class T>
std::vector<float> normal_memory(Index rows, Index columns) {
  return std::vector<float>(normal_bytes<T>(rows, columns) / sizeof(float) + 1);
}
}  // namespace

template <Element T, class W>
void skinny_products(const JoinedProducts<T, W>& products) {
  const bool aligned = aligned_operands(products);
  const SkinnyPlan plan = plan_of(products, at_once);
  auto memory = normal_memory<T>(plan.rows, products.first.x.columns);
  walk<SkinnyRegisters<T>>(product_threads, plan.grid(), 1, 1, memory, [&](auto& block) {
    if (products.norm.weight != nullptr) {
      skinny_products_body<true>(block, products, plan, aligned, memory.data());
    } else {
      skinny_products_body<false>(block, products, plan, aligned, memory.data());
    }
  });
}
template <Element T>
void plain_product(const Product<T>& p) {
  const Index chunks = (p.y.columns + product_threads - 1) / product_threads;
  walk<NoRegisters>(product_threads, p.y.rows * chunks,
                    [&](auto& block) { plain_product_body(block, p); });
}
template <Element T, class W>
void skinny_swiglu(Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                   const InputNorm<T>& norm) {
  const bool aligned = aligned_operands(x, weights, norm);
  const SkinnyPlan plan = plan_of(y, x, at_once);
  auto memory = normal_memory<T>(y.rows, x.columns);
  walk<SwigluRegisters<T>>(product_threads, plan.grid(), 1, 1, memory, [&](auto& block) {
    if (norm.weight != nullptr) {
      skinny_swiglu_body<true>(block, y, x, weights, norm, plan, aligned, memory.data());
    } else {
      skinny_swiglu_body<false>(block, y, x, weights, norm, plan, aligned, memory.data());
    }
  });
}
template <Code C>
void widen_rows(Erased<bfloat16> wide, const C* codes, const float* scales) {
  constexpr Index together = product_threads * sixteen;
  const bool aligned = aligned_rows(codes, wide.columns);
  walk<NoRegisters>(product_threads, (wide.rows * wide.columns + together - 1) / together,
                    [&](auto& block) { widen_rows_body(block, wide, codes, scales, aligned); });
}

template <Element T>
void attend_tiled(const AttendCall<T>& call, const AttendParts& parts) {
  std::vector<float> shared(TiledShared::floats(call.y.dim));
  walk<TiledRegisters>(tiled_threads, divide_up(call.packed_rows(), tiled_rows), call.key.heads,
                       parts.split.parts, shared,
                       [&](auto& block) { attend_tiled_body(block, shared.data(), call, parts); });
}
template <Element T>
void attend_combine(const AttendCall<T>& call, const AttendParts& parts) {
  std::vector<float> none;
  walk<CombineRegisters>(combine_threads, call.packed_rows(), call.key.heads, 1, none,
                         [&](auto& block) { attend_combine_body(block, call, parts); });
}

template <Element T>
void attend(const AttendCall<T>& call, AttendKernel kernel, Index count) {
  if (call.y.rows == 0) return;
  if (kernel == AttendKernel::naive) {
    std::vector<float> none;
    return walk<NaiveRegisters>(warp_size, call.y.rows * call.y.heads,
                                divide_up(call.y.dim, naive_dim), 1, none,
                                [&](auto& block) { attend_naive_body(block, call); });
  }
  const auto rows = static_cast<std::size_t>(count * call.key.heads * call.packed_rows());
  std::vector<float> largest(rows, NAN);
  std::vector<float> sum(rows, NAN);
  std::vector<float> values(rows * static_cast<std::size_t>(call.y.dim), NAN);
  const Index tiles = divide_up(divide_up(call.key.rows, tile_of(kernel).keys), count);
  const AttendParts parts{{count, count == 1 ? KeySplit::all : std::max<Index>(tiles, 1)},
                          largest.data(),
                          sum.data(),
                          values.data()};
  if constexpr (std::same_as<T, bfloat16>) {
    if (kernel == AttendKernel::tensor) attend_tensor(call, parts);
    if (kernel == AttendKernel::hopper) attend_hopper(call, parts);
  }
  if (kernel == AttendKernel::tiled) attend_tiled(call, parts);
  if (count > 1) attend_combine(call, parts);
}

template void rms_norm(Erased<float>, Erased<const float>, const float*, float);
template void layer_norm(Erased<float>, Erased<const float>, const LayerNorm<float>&);
template void norm_matmul(const NormMatmul<float>&);
template void norm_matmul(const NormMatmul<bfloat16>&);
template void mask_head(const MaskHead<float>&, Index);
template void mask_head(const MaskHead<bfloat16>&, Index);
template void quick_gelu(Erased<float>);
template void gelu(Erased<float>);
template void relu(Erased<float>);
template void relu(Erased<bfloat16>);
template void swiglu(Erased<float>, Erased<const float>);
template void add(Erased<float>, Erased<const float>);
template void sum(Erased<float>, Erased<const float>, Erased<const float>);
template void copy(Erased<float>, Erased<const float>);
template void rotate(ErasedHeads<float>, Erased<const float>, Erased<const float>);
template void rotate_and_store(ErasedHeads<float>, ErasedHeads<float>, ErasedHeads<float>,
                               ErasedHeads<const float>, ErasedHeads<const float>,
                               Erased<const float>, Erased<const float>, const std::int32_t*);
template void cut_patches(Erased<float>, const std::uint8_t*, const float*, const PatchOrder&);
template void cut_patches(Erased<bfloat16>, const std::uint8_t*, const bfloat16*,
                          const PatchOrder&);
template void cut_picture(Erased<float>, const std::uint8_t*, const PictureCut&);
template void cut_picture(Erased<bfloat16>, const std::uint8_t*, const PictureCut&);
template void largest_of_part(Candidate*, Erased<const float>);
template void largest_of_part(Candidate*, Erased<const bfloat16>);
template void largest_of_groups(const TopKCall<float>&);
template void largest_of_groups(const TopKCall<bfloat16>&);
template void found_of_row(const TopKCall<float>&);
template void found_of_row(const TopKCall<bfloat16>&);
template void gather(Erased<float>, Erased<const float>, const std::int32_t*);
template void skinny_products(const JoinedProducts<float>&);
template void plain_product(const Product<float>&);
template void skinny_swiglu(Erased<float>, Erased<const float>, const GateAndUp<float>&,
                            const InputNorm<float>&);
template void attend(const AttendCall<float>&, AttendKernel, Index);
template void attend_tiled(const AttendCall<float>&, const AttendParts&);
template void attend_combine(const AttendCall<float>&, const AttendParts&);

template void rms_norm(Erased<bfloat16>, Erased<const bfloat16>, const bfloat16*, float);
template void layer_norm(Erased<bfloat16>, Erased<const bfloat16>, const LayerNorm<bfloat16>&);
template void quick_gelu(Erased<bfloat16>);
template void gelu(Erased<bfloat16>);
template void swiglu(Erased<bfloat16>, Erased<const bfloat16>);
template void add(Erased<bfloat16>, Erased<const bfloat16>);
template void sum(Erased<bfloat16>, Erased<const bfloat16>, Erased<const bfloat16>);
template void copy(Erased<bfloat16>, Erased<const bfloat16>);
template void rotate(ErasedHeads<bfloat16>, Erased<const float>, Erased<const float>);
template void rotate_and_store(ErasedHeads<bfloat16>, ErasedHeads<bfloat16>, ErasedHeads<bfloat16>,
                               ErasedHeads<const bfloat16>, ErasedHeads<const bfloat16>,
                               Erased<const float>, Erased<const float>, const std::int32_t*);
template void gather(Erased<bfloat16>, Erased<const bfloat16>, const std::int32_t*);
template void skinny_products(const JoinedProducts<bfloat16>&);
template void plain_product(const Product<bfloat16>&);
template void skinny_swiglu(Erased<bfloat16>, Erased<const bfloat16>, const GateAndUp<bfloat16>&,
                            const InputNorm<bfloat16>&);
template void skinny_products(const JoinedProducts<bfloat16, std::int8_t>&);
template void skinny_products(const JoinedProducts<bfloat16, float8_e4m3>&);
template void skinny_swiglu(Erased<bfloat16>, Erased<const bfloat16>, const GateAndUp<std::int8_t>&,
                            const InputNorm<bfloat16>&);
template void skinny_swiglu(Erased<bfloat16>, Erased<const bfloat16>, const GateAndUp<float8_e4m3>&,
                            const InputNorm<bfloat16>&);
template void widen_rows(Erased<bfloat16>, const std::int8_t*, const float*);
template void widen_rows(Erased<bfloat16>, const float8_e4m3*, const float*);
template void attend(const AttendCall<bfloat16>&, AttendKernel, Index);
template void attend_tiled(const AttendCall<bfloat16>&, const AttendParts&);
template void attend_combine(const AttendCall<bfloat16>&, const AttendParts&);

}  // namespace stamp::test::walked
