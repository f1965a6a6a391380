// SPDX-License-Identifier: Apache-2.0
// The launches of our own products.
#include <stamp/cuda/product.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T, class W>
__global__ void __launch_bounds__(product_threads)
    skinny(JoinedProducts<T, W> products, bool aligned) {
  DeviceBlock<SkinnyRegisters> block;
  skinny_products_body(block, products, aligned);
}

template <Element T>
__global__ void __launch_bounds__(product_threads)
    swiglu_pair(Erased<T> y, Erased<const T> x, const T* gate, const T* up, bool aligned) {
  DeviceBlock<SwigluRegisters> block;
  skinny_swiglu_body(block, y, x, gate, up, nullptr, nullptr, aligned);
}

/// Two blocks a multiprocessor are enough for its loads; for more the compiler would put registers
/// into memory.
template <Element T, Code C>
__global__ void __launch_bounds__(product_threads, 2)
    swiglu_codes(Erased<T> y, Erased<const T> x, const C* gate, const C* up,
                 const float* gate_scales, const float* up_scales, bool aligned) {
  DeviceBlock<SwigluRegisters> block;
  skinny_swiglu_body(block, y, x, gate, up, gate_scales, up_scales, aligned);
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
  skinny<<<skinny_grid(rows, groups), product_threads, 0, stream>>>(products, aligned);
  check_launch();
}

template <DeviceElement T, class W>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const W* gate, const W* up,
                   const float* gate_scales, const float* up_scales) {
  if (y.rows == 0 || y.columns == 0) return;
  const bool aligned = aligned_rows(x.data, x.stride) && aligned_rows(gate, x.columns) &&
                       aligned_rows(up, x.columns);
  const unsigned grid = skinny_grid(y.rows, output_groups(y.columns));
  if constexpr (Code<W>) {
    swiglu_codes<<<grid, product_threads, 0, stream>>>(y, x, gate, up, gate_scales, up_scales,
                                                       aligned);
  } else {
    swiglu_pair<<<grid, product_threads, 0, stream>>>(y, x, gate, up, aligned);
  }
  check_launch();
}

template <DeviceElement T>
void plain_product(Stream stream, const Product<T>& p) {
  if (p.y.rows == 0 || p.y.columns == 0) return;
  const Index chunks = (p.y.columns + product_threads - 1) / product_threads;
  plain<<<blocks(p.y.rows * chunks), product_threads, 0, stream>>>(p);
  check_launch();
}

template <Code C>
void widen_rows(Stream stream, Erased<bfloat16> wide, const C* codes, const float* scales) {
  constexpr Index together = product_threads * sixteen;
  const Index numbers = wide.rows * wide.columns;
  if (numbers == 0) return;
  widen<<<blocks((numbers + together - 1) / together), product_threads, 0, stream>>>(
      wide, codes, scales, aligned_rows(codes, wide.columns));
  check_launch();
}

template void skinny_products(Stream, const JoinedProducts<float>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16, std::int8_t>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16, float8_e4m3>&);
template void skinny_swiglu(Stream, Erased<float>, Erased<const float>, const float*, const float*,
                            const float*, const float*);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>, const bfloat16*,
                            const bfloat16*, const float*, const float*);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>, const std::int8_t*,
                            const std::int8_t*, const float*, const float*);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>, const float8_e4m3*,
                            const float8_e4m3*, const float*, const float*);
template void widen_rows(Stream, Erased<bfloat16>, const std::int8_t*, const float*);
template void widen_rows(Stream, Erased<bfloat16>, const float8_e4m3*, const float*);
template void plain_product(Stream, const Product<float>&);
template void plain_product(Stream, const Product<bfloat16>&);

}  // namespace stamp::cuda::kernel
