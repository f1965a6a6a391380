// SPDX-License-Identifier: Apache-2.0
// The kernels that matmul.cpp launches, as plain loops on the host's runtime.
#include <cuda/runtime/host_runtime.hpp>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

namespace kernel {

template <DeviceElement T>
void plain_product(Stream stream, const Product<T>& p) {
  (void)test::queue(stream, [p] {
    for (Index row = 0; row < p.y.rows; ++row) {
      for (Index out = 0; out < p.y.columns; ++out) {
        T& y = p.y.data[row * p.y.stride + out];
        float sum = p.into == Into::add ? static_cast<float>(y) : 0.0F;
        if (p.bias != nullptr) sum += static_cast<float>(p.bias[out]);
        for (Index in = 0; in < p.x.columns; ++in) {
          sum += static_cast<float>(p.x.data[row * p.x.stride + in]) *
                 static_cast<float>(p.w[out * p.x.columns + in]);
        }
        y = static_cast<T>(sum);
      }
    }
  });
  check_launch();
}

template <DeviceElement T, class W>
void skinny_products(Stream stream, const JoinedProducts<T, W>& products) {
  plain_product(stream, products.first);
}

template void plain_product(Stream, const Product<float>&);
template void plain_product(Stream, const Product<bfloat16>&);
template void skinny_products(Stream, const JoinedProducts<float>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16>&);

}  // namespace kernel

}  // namespace stamp::cuda
