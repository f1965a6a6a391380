// SPDX-License-Identifier: Apache-2.0
// The launches of our own products.
#include <stamp/cuda/product.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

/// What a warp multiplies first: of each row of weights up to 4 KiB, a line a lane. It comes while
/// earlier kernels end, and while a joined norm is taken.
template <class W>
__device__ void fetch_row(const W* row, Stretch stretch) {
  constexpr int line = 128 / sizeof(W);
  const int at = stretch.begin + static_cast<int>(threadIdx.x) % warp_size * line;
  if (at < stretch.end) fetch_ahead(row + at);
}
/// One number of an output.
template <class Number>
__device__ void fetch_number(const Number* numbers, Index o) {
  if (numbers != nullptr && threadIdx.x % warp_size == 0) fetch_ahead(numbers + o);
}

template <Element T, class W>
__device__ void fetch_weights(const JoinedProducts<T, W>& products) {
  SkinnyShare share(blockIdx.x, static_cast<unsigned>(output_groups(products)),
                    products.first.y.rows, products.first.x.columns);
  const Product<T, W> p = product_of(products, share.group);
  const int thread = static_cast<int>(threadIdx.x);
  const Index o = share.output(thread);
  if (products.norm.weight != nullptr) fetch_vector_ahead(products.norm.weight, p.x.columns);
  if (o >= p.y.columns) return;
  fetch_row(p.w + o * p.x.columns, stretch_of<W>(p.x.columns, share.part(thread), share.shared));
  fetch_number(p.bias, o);
  fetch_number(p.scales, o);
}
template <Element T, class W>
__device__ void fetch_weights(Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                              const InputNorm<T>& norm) {
  const SkinnyShare share(blockIdx.x, static_cast<unsigned>(output_groups(y.columns, x.columns)),
                          y.rows, x.columns);
  const int thread = static_cast<int>(threadIdx.x);
  const Index o = share.output(thread);
  if (norm.weight != nullptr) fetch_vector_ahead(norm.weight, x.columns);
  if (o >= y.columns) return;
  const Stretch stretch = stretch_of<W>(x.columns, share.part(thread), share.shared);
  fetch_row(weights.gate + o * x.columns, stretch);
  fetch_row(weights.up + o * x.columns, stretch);
  fetch_number(weights.gate_scales, o);
  fetch_number(weights.up_scales, o);
}

/// Blocks of a multiprocessor that the compiler leaves registers for: as many as the loads under
/// way allow without registers in memory. Left alone it takes other numbers, and spills.
template <bool normed, class W, int weight_rows>
constexpr int resident_blocks = std::same_as<W, float> ? 2
                                : Code<W>              ? 4 - weight_rows
                                                       : (normed || weight_rows == 2 ? 3 : 4);

template <bool normed, Element T, class W>
__global__ void __launch_bounds__(product_threads, resident_blocks<normed, W, 1>)
    skinny(JoinedProducts<T, W> products, bool aligned) {
  extern __shared__ float4 memory[];
  DeviceBlock<SkinnyRegisters<T>> block([&] { fetch_weights(products); });
  skinny_products_body<normed>(block, products, aligned, reinterpret_cast<float*>(memory));
}

template <bool normed, Element T, class W>
__global__ void __launch_bounds__(product_threads, resident_blocks<normed, W, 2>)
    swiglu_pair(Erased<T> y, Erased<const T> x, GateAndUp<W> weights, InputNorm<T> norm,
                bool aligned) {
  extern __shared__ float4 memory[];
  DeviceBlock<SwigluRegisters<T>> block([&] { fetch_weights(y, x, weights, norm); });
  skinny_swiglu_body<normed>(block, y, x, weights, norm, aligned, reinterpret_cast<float*>(memory));
}

template <Element T>
__global__ void __launch_bounds__(product_threads) plain(Product<T> product) {
  DeviceBlock<NoRegisters> block;
  plain_product_body(block, product);
}

template <Element T, Code C>
__global__ void __launch_bounds__(product_threads)
    widen(Erased<T> wide, const C* codes, const float* scales, bool aligned) {
  DeviceBlock<NoRegisters> block;
  widen_rows_body(block, wide, codes, scales, aligned);
}

[[nodiscard]] unsigned skinny_grid(Index rows, Index groups) {
  return blocks(groups * ((rows + skinny_rows - 1) / skinny_rows));
}

}  // namespace

template <DeviceElement T, class W>
void skinny_products(Stream stream, const JoinedProducts<T, W>& products) {
  const Index rows = products.first.y.rows;
  const Index groups = output_groups(products);
  if (rows == 0 || groups == 0) return;
  const bool aligned = aligned_operands(products);
  const unsigned grid = skinny_grid(rows, groups);
  if (products.norm.weight != nullptr) {
    const std::size_t bytes = normal_bytes<T>(rows, products.first.x.columns);
    launch({stream, grid, product_threads, bytes}, skinny<true, T, W>, products, aligned);
  } else {
    launch({stream, grid, product_threads, sum_bytes}, skinny<false, T, W>, products, aligned);
  }
}

template <DeviceElement T, class W>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                   const InputNorm<T>& norm) {
  if (y.rows == 0 || y.columns == 0) return;
  const bool aligned = aligned_operands(x, weights, norm);
  const unsigned grid = skinny_grid(y.rows, output_groups(y.columns, x.columns));
  if (norm.weight != nullptr) {
    const std::size_t bytes = normal_bytes<T>(y.rows, x.columns);
    launch({stream, grid, product_threads, bytes}, swiglu_pair<true, T, W>, y, x, weights, norm,
           aligned);
  } else {
    launch({stream, grid, product_threads, sum_bytes}, swiglu_pair<false, T, W>, y, x, weights,
           norm, aligned);
  }
}

template <DeviceElement T>
void plain_product(Stream stream, const Product<T>& p) {
  if (p.y.rows == 0 || p.y.columns == 0) return;
  const Index chunks = (p.y.columns + product_threads - 1) / product_threads;
  launch({stream, blocks(p.y.rows * chunks), product_threads}, plain<T>, p);
}

template <Code C>
void widen_rows(Stream stream, Erased<bfloat16> wide, const C* codes, const float* scales) {
  constexpr Index together = product_threads * sixteen;
  const Index numbers = wide.rows * wide.columns;
  if (numbers == 0) return;
  launch({stream, blocks((numbers + together - 1) / together), product_threads}, widen<bfloat16, C>,
         wide, codes, scales, aligned_rows(codes, wide.columns));
}

template void skinny_products(Stream, const JoinedProducts<float>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16, std::int8_t>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16, float8_e4m3>&);
template void skinny_swiglu(Stream, Erased<float>, Erased<const float>, const GateAndUp<float>&,
                            const InputNorm<float>&);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>,
                            const GateAndUp<bfloat16>&, const InputNorm<bfloat16>&);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>,
                            const GateAndUp<std::int8_t>&, const InputNorm<bfloat16>&);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>,
                            const GateAndUp<float8_e4m3>&, const InputNorm<bfloat16>&);
template void widen_rows(Stream, Erased<bfloat16>, const std::int8_t*, const float*);
template void widen_rows(Stream, Erased<bfloat16>, const float8_e4m3*, const float*);
template void plain_product(Stream, const Product<float>&);
template void plain_product(Stream, const Product<bfloat16>&);

}  // namespace stamp::cuda::kernel
