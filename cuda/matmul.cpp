// SPDX-License-Identifier: Apache-2.0
// Products by cuBLASLt: the algorithm of a shape is the quickest of the library's candidates, timed
// once and kept.
//
// Our matrices are row-major, the library's column-major: y [R, O] row-major is yᵀ [O, R]
// column-major, so it computes yᵀ = W·xᵀ with W [O, I] read as the transpose of an [I, O] matrix.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <stamp/cuda/faults.hpp>
#include <stamp/cuda/product.hpp>
#include <stamp/cuda/product_algorithm.hpp>
#include <stamp/cuda/product_choices.hpp>
#include <stamp/cuda/product_library.hpp>
#include <stamp/cuda/status.hpp>
#include <vector>

namespace stamp::cuda {

namespace {

constexpr std::size_t workspace_bytes = std::size_t{32} << 20U;

/// The largest power of two up to 256 that an address is a multiple of.
[[nodiscard]] unsigned alignment_of(const void* address) {
  const auto value = reinterpret_cast<std::uintptr_t>(address);
  unsigned alignment = 256;
  while (value % alignment != 0) alignment /= 2;
  return alignment;
}

/// Descriptors of one product; the bias pointer is set call by call.
struct Plan {
  ProductDescriptor product;
  MatrixLayout w, x, y;
  ProductAlgorithm algorithm;
};

struct DestroyEvent {
  void operator()(cudaEvent_t event) const noexcept {
    if (alive()) succeeded(cudaEventDestroy(event));
  }
};
using Event = std::unique_ptr<CUevent_st, DestroyEvent>;

[[nodiscard]] Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event));
  return Event(event);
}

class Products {
 public:
  explicit Products(Device& device)
      : lt_(ProductLibrary::get()), device_(&device), handle_(made<LibraryHandle>(lt_.create)) {
    workspace_ = device.allocate(workspace_bytes);
  }

  template <class T>
  bool run(const Product<T>& p) {
    const ProductShape shape = shape_of(p);
    auto found = plans_.find(shape);
    if (found == plans_.end()) {
      if (device_->recording()) {
        fail(Fault::usage, "cuda: expected a product that has run before in a recorded step");
      }
      found = plans_.emplace(shape, make(shape, p)).first;
    }
    const Plan& plan = found->second;
    if (!plan.algorithm) return false;
    expect(multiply(plan, p, *plan.algorithm, p.y.data));
    return true;
  }

  /// Of a product that has run before.
  template <class T>
  [[nodiscard]] std::optional<ChosenAlgorithm> chosen(const Product<T>& p) const {
    const auto found = plans_.find(shape_of(p));
    if (found == plans_.end() || !found->second.algorithm) return {};
    return configuration_of(lt_, *found->second.algorithm);
  }

 private:
  static constexpr int most_candidates = 8;

  template <class T>
  [[nodiscard]] static ProductShape shape_of(const Product<T>& p) {
    return {p.y.rows,
            p.y.columns,
            p.x.columns,
            p.x.stride,
            p.y.stride,
            alignment_of(p.x.data),
            alignment_of(p.y.data),
            alignment_of(p.w),
            p.bias == nullptr ? 0 : alignment_of(p.bias),
            p.into == Into::add,
            std::same_as<T, bfloat16>};
  }

  /// Error{resource} unless the library succeeded.
  void expect(cublasStatus_t status,
              const std::source_location& where = std::source_location::current()) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    if (status == CUBLAS_STATUS_ALLOC_FAILED) fail_out_of_memory("memory for the product library");
    if (!device_->recording()) device_->wait(where);  // a kernel that has failed says why
    fail(Fault::resource,
         std::string("cuda: product library: ") + lt_.status_text(status) + ", at " + place(where));
  }

  /// An object that `create` makes from `arguments`.
  template <class Object, class Create, class... Arguments>
  [[nodiscard]] Object made(Create create, Arguments... arguments) const {
    typename Object::pointer object = nullptr;
    expect(create(&object, arguments...));
    return Object(object);
  }

  template <class T>
  cublasStatus_t multiply(const Plan& plan, const Product<T>& p,
                          const cublasLtMatmulAlgo_t& algorithm, void* y) {
    const float one = 1;
    const float before = p.into == Into::add ? 1 : 0;
    if (p.bias != nullptr) {
      set(plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(p.bias));
    }
    return lt_.matmul(handle_.get(), plan.product.get(), &one, p.w, plan.w.get(), p.x.data,
                      plan.x.get(), &before, y, plan.y.get(), y, plan.y.get(), &algorithm,
                      workspace_, workspace_bytes, device_->stream());
  }

  template <class T>
  [[nodiscard]] Plan make(const ProductShape& shape, const Product<T>& p) {
    const cudaDataType_t type = shape.brain ? CUDA_R_16BF : CUDA_R_32F;
    const auto layout = [&](Index columns, Index rows, Index stride) {
      return made<MatrixLayout>(lt_.create_layout, type, static_cast<std::uint64_t>(columns),
                                static_cast<std::uint64_t>(rows), std::max(stride, columns));
    };
    // float32 means float32: this compute type does not round to TF32.
    Plan plan{made<ProductDescriptor>(lt_.create_product, CUBLAS_COMPUTE_32F, CUDA_R_32F),
              layout(shape.in, shape.out, shape.in),
              layout(shape.in, shape.rows, shape.x_stride),
              layout(shape.out, shape.rows, shape.y_stride),
              {}};
    set(plan, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(plan, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    if (p.bias != nullptr) {
      set(plan, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(plan, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
      set(plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(p.bias));
    }
    plan.algorithm = ProductChoices::of_this_process().choose(
        device_->facts().ordinal, shape, [&] { return quickest(plan, shape, p); });
    return plan;
  }

  /// The quickest candidate, each timed on a copy of y so that a sum is not added twice.
  template <class T>
  [[nodiscard]] ProductAlgorithm quickest(const Plan& plan, const ProductShape& shape,
                                          const Product<T>& p) {
    std::array<cublasLtMatmulHeuristicResult_t, most_candidates> results{};
    const int count = find_candidates(plan, shape, results);
    if (count == 0) return {};
    const Index numbers = (shape.rows - 1) * std::max(shape.y_stride, shape.out) + shape.out;
    const auto bytes = static_cast<std::size_t>(numbers) * sizeof(T) + 256;
    const auto release = [this](std::byte* memory) { device_->release(memory); };
    const std::unique_ptr<std::byte, decltype(release)> memory(device_->allocate(bytes), release);
    // As aligned as y is, and no more: candidates may rely on it.
    std::byte* const copy =
        memory.get() +
        (shape.y_alignment == 256 ? 0 : reinterpret_cast<std::uintptr_t>(p.y.data) % 256);
    device_->set(memory.get(), 0, bytes);
    std::vector<Timed> candidates;
    for (int at = 0; at < count; ++at) {
      const auto& result = results[static_cast<std::size_t>(at)];
      if (result.state == CUBLAS_STATUS_SUCCESS) candidates.push_back({result.algo});
    }
    time(plan, p, candidates, copy);
    const Timed* best = quickest_of(candidates);
    if (best == nullptr) return {};
    if (!leaves_idle(shape, device_->facts().multiprocessors)) return best->algorithm;
    std::vector<Timed> split = split_versions(plan, best->algorithm);
    if (split.empty()) return best->algorithm;
    split.push_back(*best);
    time(plan, p, split, copy);
    return quickest_of(split)->algorithm;
  }

  /// A candidate and the least of its times, infinity where it does not run.
  struct Timed {
    cublasLtMatmulAlgo_t algorithm;
    float milliseconds = std::numeric_limits<float>::infinity();
  };

  /// There and back: none of them has a device alone that is still getting quick.
  template <class T>
  void time(const Plan& plan, const Product<T>& p, std::span<Timed> candidates, void* y) {
    const auto once = [&](Timed& each) {
      each.milliseconds = std::min(each.milliseconds, milliseconds(plan, p, each.algorithm, y));
    };
    for (Timed& each : candidates) once(each);
    for (std::size_t at = candidates.size(); at-- > 0;) {
      if (std::isfinite(candidates[at].milliseconds)) once(candidates[at]);
    }
  }

  /// The first of those that take least; null where none runs.
  [[nodiscard]] static const Timed* quickest_of(std::span<const Timed> candidates) {
    const auto least = std::ranges::min_element(candidates, {}, &Timed::milliseconds);
    if (least == candidates.end() || !std::isfinite(least->milliseconds)) return nullptr;
    return &*least;
  }

  /// The same algorithm with its inner axis in two and in four parts, where the library takes that.
  [[nodiscard]] std::vector<Timed> split_versions(const Plan& plan,
                                                  const cublasLtMatmulAlgo_t& algorithm) const {
    std::vector<Timed> versions;
    for (const std::int32_t parts : {2, 4}) {
      if (configuration_of(lt_, algorithm).splits == parts) continue;
      const ProductAlgorithm version = in_parts(lt_, algorithm, parts);
      if (!version) continue;
      cublasLtMatmulHeuristicResult_t result{};
      const cublasStatus_t status =
          lt_.check_algorithm(handle_.get(), plan.product.get(), plan.w.get(), plan.x.get(),
                              plan.y.get(), plan.y.get(), &*version, &result);
      if (status != CUBLAS_STATUS_SUCCESS || result.workspaceSize > workspace_bytes) continue;
      versions.push_back({*version});
    }
    return versions;
  }

  /// How many the library names; none where it does not take the operands.
  [[nodiscard]] int find_candidates(
      const Plan& plan, const ProductShape& shape,
      std::array<cublasLtMatmulHeuristicResult_t, most_candidates>& results) const {
    const auto preference = made<SearchPreference>(lt_.create_preference);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
      expect(lt_.set_preference(preference.get(), which, &value, sizeof(value)));
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, summed_in_order);  // or not split at all
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, std::uint32_t{shape.w_alignment});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, std::uint32_t{shape.x_alignment});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, std::uint32_t{shape.y_alignment});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::uint32_t{shape.y_alignment});
    int count = 0;
    const cublasStatus_t status =
        lt_.candidates(handle_.get(), plan.product.get(), plan.w.get(), plan.x.get(), plan.y.get(),
                       plan.y.get(), preference.get(), most_candidates, results.data(), &count);
    if (status == CUBLAS_STATUS_ALLOC_FAILED) expect(status);
    return status == CUBLAS_STATUS_SUCCESS ? count : 0;
  }

  /// Of one run of several in a row, after one that warms up: of a run alone the host's way to the
  /// device would be most. Infinity where it does not run.
  template <class T>
  [[nodiscard]] float milliseconds(const Plan& plan, const Product<T>& p,
                                   const cublasLtMatmulAlgo_t& algorithm, void* y) {
    constexpr float never = std::numeric_limits<float>::infinity();
    constexpr int in_a_row = 6;
    if (!takes_operands(multiply(plan, p, algorithm, y))) return never;
    const Event start = make_event();
    const Event end = make_event();
    check(cudaEventRecord(start.get(), device_->stream()));
    for (int run = 0; run < in_a_row; ++run) {
      if (!takes_operands(multiply(plan, p, algorithm, y))) return never;
    }
    check(cudaEventRecord(end.get(), device_->stream()));
    check(cudaEventSynchronize(end.get()));
    float time = 0;
    check(cudaEventElapsedTime(&time, start.get(), end.get()));
    return time / in_a_row;
  }

  /// A candidate that does not take the operands is passed over. Memory that has run out and a
  /// kernel that has failed are errors.
  [[nodiscard]] bool takes_operands(cublasStatus_t status) {
    if (status == CUBLAS_STATUS_SUCCESS) return true;
    if (status == CUBLAS_STATUS_ALLOC_FAILED) expect(status);
    device_->wait();
    return false;
  }

  template <class Value>
  void set(const Plan& plan, cublasLtMatmulDescAttributes_t which, Value value) const {
    expect(lt_.set_product(plan.product.get(), which, static_cast<const void*>(&value),
                           sizeof(Value)));
  }

  const ProductLibrary& lt_;
  Device* device_;
  LibraryHandle handle_;
  std::byte* workspace_ = nullptr;  // the pool's, like everything else of the device
  std::map<ProductShape, Plan> plans_;
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

template <DeviceElement T>
std::optional<ChosenAlgorithm> chosen_algorithm(Device& device, const Product<T>& product) {
  const std::shared_ptr<void>& state = device.products();
  if (!state) return {};
  return static_cast<const Products*>(state.get())->chosen(product);
}

template bool library_product(Device&, const Product<float>&);
template bool library_product(Device&, const Product<bfloat16>&);
template std::optional<ChosenAlgorithm> chosen_algorithm(Device&, const Product<float>&);
template std::optional<ChosenAlgorithm> chosen_algorithm(Device&, const Product<bfloat16>&);
template void multiply(Device&, const Product<float>&);
template void multiply(Device&, const Product<bfloat16>&);

}  // namespace stamp::cuda
