// SPDX-License-Identifier: Apache-2.0
// Products by cuBLASLt: the algorithm of a shape is the quickest of the library's candidates, timed
// once and kept.
//
// Our matrices are row-major, the library's column-major: y [R, O] row-major is yᵀ [O, R]
// column-major, so it computes yᵀ = W·xᵀ with W [O, I] read as the transpose of an [I, O] matrix.
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <map>
#include <stamp/cuda/kept.hpp>
#include <stamp/cuda/product.hpp>
#include <stamp/cuda/product_library.hpp>
#include <tuple>

namespace stamp::cuda {

namespace {

constexpr std::size_t workspace_bytes = std::size_t{32} << 20U;

void check(cublasStatus_t status,
           const std::source_location& where = std::source_location::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  check_launch(where);  // a lost device says why
  fail(Fault::resource, std::string("cuda: product library: ") +
                            ProductLibrary::get().status_text(status) +
                            ", at matmul.cpp:" + std::to_string(where.line()));
}

/// What makes two products one shape for the library.
struct Shape {
  Index rows, out, in, x_stride, y_stride;
  unsigned x_alignment, y_alignment, w_alignment;
  bool bias, add, brain;
  auto operator<=>(const Shape&) const = default;
};

/// The largest power of two up to 256 that an address is a multiple of.
[[nodiscard]] unsigned alignment_of(const void* address) {
  const auto value = reinterpret_cast<std::uintptr_t>(address);
  unsigned alignment = 256;
  while (value % alignment != 0) alignment /= 2;
  return alignment;
}

/// Descriptors of one product; the bias pointer is set call by call.
struct Plan {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t w = nullptr;
  cublasLtMatrixLayout_t x = nullptr;
  cublasLtMatrixLayout_t y = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  bool possible = false;
};

class Products {
 public:
  explicit Products(Device& device) : lt_(ProductLibrary::get()) {
    check(lt_.create(&handle_));
    device_ = &device;
    workspace_ = device.allocate(workspace_bytes);
  }
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  Products(Products&&) = delete;
  Products& operator=(Products&&) = delete;
  ~Products() {
    for (const auto& [shape, plan] : plans_) destroy(plan);
    (void)lt_.destroy(handle_);
  }

  template <class T>
  bool run(const Product<T>& p) {
    const Shape shape{p.y.rows,
                      p.y.columns,
                      p.x.columns,
                      p.x.stride,
                      p.y.stride,
                      alignment_of(p.x.data),
                      alignment_of(p.y.data),
                      alignment_of(p.w),
                      p.bias != nullptr,
                      p.into == Into::add,
                      std::same_as<T, bfloat16>};
    auto found = plans_.find(shape);
    if (found == plans_.end()) {
      if (device_->recording()) {
        fail(Fault::usage, "cuda: expected a product that has run before in a recorded step");
      }
      Plan plan;
      try {
        make(plan, shape, p);
      } catch (...) {
        destroy(plan);
        throw;
      }
      found = plans_.emplace(shape, plan).first;
    }
    if (!found->second.possible) return false;
    check(multiply(found->second, p, found->second.algorithm, p.y.data));
    return true;
  }

 private:
  static constexpr int most_candidates = 8;

  template <class T>
  cublasStatus_t multiply(const Plan& plan, const Product<T>& p,
                          const cublasLtMatmulAlgo_t& algorithm, void* y) {
    const float one = 1;
    const float before = p.into == Into::add ? 1 : 0;
    if (p.bias != nullptr) set(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    return lt_.matmul(handle_, plan.product, &one, p.w, plan.w, p.x.data, plan.x, &before, y,
                      plan.y, y, plan.y, &algorithm, workspace_, workspace_bytes,
                      device_->stream());
  }

  template <class T>
  void make(Plan& plan, const Shape& shape, const Product<T>& p) {
    const cudaDataType_t type = shape.brain ? CUDA_R_16BF : CUDA_R_32F;
    // float32 means float32: this compute type does not round to TF32.
    check(lt_.create_product(&plan.product, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set(plan.product, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(plan.product, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    if (shape.bias) {
      set(plan.product, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(plan.product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
      set(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    }
    const auto extent = [](Index size) { return static_cast<std::uint64_t>(size); };
    check(lt_.create_layout(&plan.w, type, extent(shape.in), extent(shape.out), shape.in));
    check(lt_.create_layout(&plan.x, type, extent(shape.in), extent(shape.rows),
                            std::max(shape.x_stride, shape.in)));
    check(lt_.create_layout(&plan.y, type, extent(shape.out), extent(shape.rows),
                            std::max(shape.y_stride, shape.out)));
    choose(plan, shape, p);
  }

  /// The quickest candidate, each timed on a copy of y so that a sum is not added twice.
  template <class T>
  void choose(Plan& plan, const Shape& shape, const Product<T>& p) {
    cublasLtMatmulPreference_t preference = nullptr;
    check(lt_.create_preference(&preference));
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
      check(lt_.set_preference(preference, which, &value, sizeof(value)));
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    // Sums of split products in a fixed order or not split at all: equal calls give equal bits.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, std::uint32_t{shape.w_alignment});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, std::uint32_t{shape.x_alignment});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, std::uint32_t{shape.y_alignment});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::uint32_t{shape.y_alignment});
    std::array<cublasLtMatmulHeuristicResult_t, most_candidates> results{};
    int count = 0;
    const cublasStatus_t status =
        lt_.candidates(handle_, plan.product, plan.w, plan.x, plan.y, plan.y, preference,
                       most_candidates, results.data(), &count);
    (void)lt_.destroy_preference(preference);
    if (status != CUBLAS_STATUS_SUCCESS || count == 0) return;  // plan.possible stays false

    const Index numbers = (shape.rows - 1) * std::max(shape.y_stride, shape.out) + shape.out;
    const auto bytes = static_cast<std::size_t>(numbers) * sizeof(T) + 256;
    std::byte* const memory = device_->allocate(bytes);
    // As aligned as y is, and no more: candidates may rely on it.
    std::byte* const copy =
        memory + (shape.y_alignment == 256 ? 0 : reinterpret_cast<std::uintptr_t>(p.y.data) % 256);
    device_->set(memory, 0, bytes);
    float best = 0;
    for (int at = 0; at < count; ++at) {
      const auto& result = results[static_cast<std::size_t>(at)];
      if (result.state != CUBLAS_STATUS_SUCCESS) continue;
      const float time = milliseconds(plan, p, result.algo, copy);
      if (time < 0 || (plan.possible && time >= best)) continue;
      plan.possible = true;
      plan.algorithm = result.algo;
      best = time;
    }
    device_->release(memory);
  }

  /// The quicker of three runs after one that warms up; negative where it does not run.
  template <class T>
  float milliseconds(const Plan& plan, const Product<T>& p, const cublasLtMatmulAlgo_t& algorithm,
                     void* y) {
    if (multiply(plan, p, algorithm, y) != CUBLAS_STATUS_SUCCESS) return -1;
    cudaEvent_t start = nullptr;
    cudaEvent_t end = nullptr;
    float best = -1;
    if (cudaEventCreate(&start) == cudaSuccess && cudaEventCreate(&end) == cudaSuccess) {
      for (int run = 0; run < 3; ++run) {
        float time = 0;
        (void)cudaEventRecord(start, device_->stream());
        if (multiply(plan, p, algorithm, y) != CUBLAS_STATUS_SUCCESS) break;
        (void)cudaEventRecord(end, device_->stream());
        if (cudaEventSynchronize(end) != cudaSuccess) break;
        if (cudaEventElapsedTime(&time, start, end) != cudaSuccess) break;
        if (best < 0 || time < best) best = time;
      }
    }
    if (start != nullptr) (void)cudaEventDestroy(start);
    if (end != nullptr) (void)cudaEventDestroy(end);
    check_launch();
    return best;
  }

  template <class Value>
  void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t which, Value value) {
    check(lt_.set_product(product, which, &value, sizeof(value)));
  }

  void destroy(const Plan& plan) {
    if (plan.product != nullptr) (void)lt_.destroy_product(plan.product);
    for (cublasLtMatrixLayout_t layout : {plan.w, plan.x, plan.y}) {
      if (layout != nullptr) (void)lt_.destroy_layout(layout);
    }
  }

  const ProductLibrary& lt_;
  Device* device_ = nullptr;
  cublasLtHandle_t handle_ = nullptr;
  std::byte* workspace_ = nullptr;  // the pool's, like everything else of the device
  std::map<Shape, Plan> plans_;
};

}  // namespace

template <DeviceElement T>
bool library_product(Device& device, const Product<T>& product) {
  check_alive();
  std::shared_ptr<void>& state = device.products();
  if (!state) state = std::make_shared<Products>(device);
  return static_cast<Products*>(state.get())->run(product);
}

template <DeviceElement T>
void multiply(Device& device, const Product<T>& product) {
  if (product.y.rows == 0 || product.y.columns == 0) return;
  if (is_skinny(product.y.rows, product.y.columns)) {
    kernel::skinny_products<T>(device.stream(), {product, {}, {}});
  } else if (!library_product<T>(device, product)) {
    kernel::plain_product<T>(device.stream(), product);
  }
}

template bool library_product(Device&, const Product<float>&);
template bool library_product(Device&, const Product<bfloat16>&);
template void multiply(Device&, const Product<float>&);
template void multiply(Device&, const Product<bfloat16>&);

}  // namespace stamp::cuda
