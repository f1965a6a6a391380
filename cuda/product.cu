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
__device__ void fetch_weights(const JoinedProducts<T, W>& products, const SkinnyPlan& plan) {
  const SkinnyShare share(blockIdx.x, plan);
  unsigned group = share.begin;
  const Product<T, W> p = product_of(products, plan, group);
  const int thread = static_cast<int>(threadIdx.x);
  const Index o = share.output(group, thread);
  const Index columns = products.first.x.columns;
  if (products.norm.weight != nullptr) fetch_vector_ahead(products.norm.weight, columns);
  if (o >= p.y.columns) return;
  fetch_row(p.w + o * columns, stretch_of<W>(columns, share.part(thread), share.shared));
  fetch_number(p.bias, o);
  fetch_number(p.scales, o);
}
template <Element T, class W>
__device__ void fetch_weights(Index columns, const GateAndUp<W>& weights, const InputNorm<T>& norm,
                              const SkinnyPlan& plan, Index outputs) {
  const SkinnyShare share(blockIdx.x, plan);
  const int thread = static_cast<int>(threadIdx.x);
  const Index o = share.output(share.begin, thread);
  if (norm.weight != nullptr) fetch_vector_ahead(norm.weight, columns);
  if (o >= outputs) return;
  const Stretch stretch = stretch_of<W>(columns, share.part(thread), share.shared);
  fetch_row(weights.gate + o * columns, stretch);
  fetch_row(weights.up + o * columns, stretch);
  fetch_number(weights.gate_scales, o);
  fetch_number(weights.up_scales, o);
}

/// Blocks of a multiprocessor that the compiler leaves registers for: as many as the loads under
/// way allow without registers in memory. Left alone it takes other numbers, and spills.
template <class W, int weight_rows>
constexpr int resident_blocks = std::same_as<W, float> ? 2
                                : Code<W>              ? 4 - weight_rows
                                                       : 3;

template <bool normed, Element T, class W>
__global__ void __launch_bounds__(product_threads, resident_blocks<W, 1>)
    skinny(JoinedProducts<T, W> products, SkinnyPlan plan, bool aligned) {
  extern __shared__ float4 memory[];
  DeviceBlock<SkinnyRegisters<T>> block([&] { fetch_weights(products, plan); });
  skinny_products_body<normed>(block, products, plan, aligned, reinterpret_cast<float*>(memory));
}

template <bool normed, Element T, class W>
__global__ void __launch_bounds__(product_threads, resident_blocks<W, 2>)
    swiglu_pair(Erased<T> y, Erased<const T> x, GateAndUp<W> weights, InputNorm<T> norm,
                SkinnyPlan plan, bool aligned) {
  extern __shared__ float4 memory[];
  DeviceBlock<SwigluRegisters<T>> block(
      [&] { fetch_weights(x.columns, weights, norm, plan, y.columns); });
  skinny_swiglu_body<normed>(block, y, x, weights, norm, plan, aligned,
                             reinterpret_cast<float*>(memory));
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

template <bool normed, Element T, class W>
void launch_skinny(Stream stream, const JoinedProducts<T, W>& products, std::size_t bytes) {
  const SkinnyPlan plan = plan_of(products, stream.multiprocessors * resident_blocks<W, 1>);
  if (plan.grid() == 0) return;
  launch({stream, blocks(plan.grid()), product_threads, bytes}, skinny<normed, T, W>, products,
         plan, aligned_operands(products));
}

template <bool normed, Element T, class W>
void launch_pair(Stream stream, Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                 const InputNorm<T>& norm, std::size_t bytes) {
  const SkinnyPlan plan = plan_of(y, x, stream.multiprocessors * resident_blocks<W, 2>);
  if (plan.grid() == 0) return;
  launch({stream, blocks(plan.grid()), product_threads, bytes}, swiglu_pair<normed, T, W>, y, x,
         weights, norm, plan, aligned_operands(x, weights, norm));
}

}  // namespace

template <DeviceElement T, class W>
void skinny_products(Stream stream, const JoinedProducts<T, W>& products) {
  if (products.norm.weight == nullptr) return launch_skinny<false>(stream, products, sum_bytes);
  launch_skinny<true>(stream, products,
                      normal_bytes<T>(products.first.y.rows, products.first.x.columns));
}

template <DeviceElement T, class W>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                   const InputNorm<T>& norm) {
  if (norm.weight == nullptr) return launch_pair<false>(stream, y, x, weights, norm, sum_bytes);
  launch_pair<true>(stream, y, x, weights, norm, normal_bytes<T>(y.rows, x.columns));
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
