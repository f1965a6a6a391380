// SPDX-License-Identifier: Apache-2.0
// The launches of our own products.
#include <stamp/cuda/product.cuh>

namespace stamp::cuda::kernel {

namespace {

template <bool normed, Element T>
__global__ void __launch_bounds__(product_threads)
    skinny(JoinedProducts<T> products, bool aligned) {
  extern __shared__ float4 memory[];
  DeviceBlock<SkinnyRegisters> block;
  skinny_products_body<normed>(block, products, aligned, reinterpret_cast<float*>(memory));
}

template <bool normed, Element T>
__global__ void __launch_bounds__(product_threads)
    swiglu_pair(Erased<T> y, Erased<const T> x, const T* gate, const T* up, InputNorm<T> norm,
                bool aligned) {
  extern __shared__ float4 memory[];
  DeviceBlock<SwigluRegisters> block;
  skinny_swiglu_body<normed>(block, y, x, gate, up, norm, aligned,
                             reinterpret_cast<float*>(memory));
}

template <Element T>
__global__ void __launch_bounds__(product_threads) plain(Product<T> product) {
  DeviceBlock<NoRegisters> block;
  plain_product_body(block, product);
}

[[nodiscard]] unsigned skinny_grid(Index rows, Index groups) {
  return blocks(groups * ((rows + skinny_rows - 1) / skinny_rows));
}

}  // namespace

template <DeviceElement T>
void skinny_products(Stream stream, const JoinedProducts<T>& products) {
  const Index rows = products.first.y.rows;
  const Index groups = output_groups(products);
  if (rows == 0 || groups == 0) return;
  const bool aligned = aligned_operands(products);
  const unsigned grid = skinny_grid(rows, groups);
  if (products.norm.weight != nullptr) {
    const std::size_t bytes = normal_bytes<T>(rows, products.first.x.columns);
    skinny<true><<<grid, product_threads, bytes, stream>>>(products, aligned);
  } else {
    skinny<false><<<grid, product_threads, 0, stream>>>(products, aligned);
  }
  check_launch();
}

template <DeviceElement T>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const T* gate, const T* up,
                   const InputNorm<T>& norm) {
  if (y.rows == 0 || y.columns == 0) return;
  const bool aligned = aligned_rows(x.data, x.stride) && aligned_rows(gate, x.columns) &&
                       aligned_rows(up, x.columns);
  const unsigned grid = skinny_grid(y.rows, output_groups(y.columns));
  if (norm.weight != nullptr) {
    const std::size_t bytes = normal_bytes<T>(y.rows, x.columns);
    swiglu_pair<true><<<grid, product_threads, bytes, stream>>>(y, x, gate, up, norm, aligned);
  } else {
    swiglu_pair<false><<<grid, product_threads, 0, stream>>>(y, x, gate, up, norm, aligned);
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

template void skinny_products(Stream, const JoinedProducts<float>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16>&);
template void skinny_swiglu(Stream, Erased<float>, Erased<const float>, const float*, const float*,
                            const InputNorm<float>&);
template void skinny_swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>, const bfloat16*,
                            const bfloat16*, const InputNorm<bfloat16>&);
template void plain_product(Stream, const Product<float>&);
template void plain_product(Stream, const Product<bfloat16>&);

}  // namespace stamp::cuda::kernel
