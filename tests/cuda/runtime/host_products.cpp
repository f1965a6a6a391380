// SPDX-License-Identifier: Apache-2.0
// The functions of cuBLASLt that stamp::cuda looks up, by their own names.
#include <algorithm>
#include <cstring>
#include <cuda/runtime/host_products.hpp>
#include <cuda/runtime/host_runtime.hpp>
#include <stamp/tensor/element.hpp>
#include <thread>

using stamp::test::host_products;
using stamp::test::host_runtime;
using stamp::test::HostProducts;

namespace stamp::test {

HostProducts& host_products() {
  static HostProducts products;
  return products;
}

}  // namespace stamp::test

struct cublasLtContext {};

namespace {

struct Descriptor : cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute{};
  cudaDataType_t scale{};
  cublasOperation_t left = CUBLAS_OP_N;
  cublasOperation_t right = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  cudaDataType_t bias_type{};
  const void* bias = nullptr;
};
struct Layout : cublasLtMatrixLayoutOpaque_t {
  cudaDataType_t type{};
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::int64_t stride = 0;
};
struct Preference : cublasLtMatmulPreferenceOpaque_t {
  std::map<int, std::uint64_t> values;
};

/// What an algorithm keeps: which candidate it is, how aligned its operands must be, and how its
/// inner axis is split.
enum Word : std::uint8_t {
  number,
  w_alignment,
  x_alignment,
  y_alignment,
  bias_alignment,
  splits,
  reduction
};

template <class Made, class Pointer>
cublasStatus_t make(const char* name, Pointer* made, const Made& value) {
  const std::lock_guard lock(host_runtime().alone);
  if (host_runtime().begin(name) != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  *made = new Made(value);
  ++host_runtime().live["of the product library"];
  return CUBLAS_STATUS_SUCCESS;
}
template <class Made, class Pointer>
cublasStatus_t destroy(const char* name, Pointer made) {
  const std::lock_guard lock(host_runtime().alone);
  if (host_runtime().begin(name) != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete static_cast<Made*>(made);
  --host_runtime().live["of the product library"];
  return CUBLAS_STATUS_SUCCESS;
}

template <class Value>
void read(Value& value, const void* from) {
  std::memcpy(&value, from, sizeof(value));
}

[[nodiscard]] float number_at(const void* memory, cudaDataType_t type, std::int64_t place) {
  if (type == CUDA_R_32F) return static_cast<const float*>(memory)[place];
  return static_cast<float>(static_cast<const stamp::bfloat16*>(memory)[place]);
}
void put(void* memory, cudaDataType_t type, std::int64_t place, float number) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(memory)[place] = number;
  } else {
    static_cast<stamp::bfloat16*>(memory)[place] = static_cast<stamp::bfloat16>(number);
  }
}

/// d = alpha·op(a)·op(b) + beta·c + bias, column-major; a matrix of `columns` columns has element
/// (i, j) at i + j·stride.
struct Loop {
  Descriptor product;
  Layout a, b, d;
  float alpha, beta;
  const void *left, *right, *before;
  void* result;

  void operator()() const {
    const auto inner = static_cast<std::int64_t>(product.left == CUBLAS_OP_T ? a.rows : a.columns);
    for (std::int64_t j = 0; j < static_cast<std::int64_t>(d.columns); ++j) {
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(d.rows); ++i) {
        float sum = 0;
        for (std::int64_t k = 0; k < inner; ++k) {
          sum += number_at(left, a.type,
                           product.left == CUBLAS_OP_T ? k + i * a.stride : i + k * a.stride) *
                 number_at(right, b.type,
                           product.right == CUBLAS_OP_T ? j + k * b.stride : k + j * b.stride);
        }
        sum *= alpha;
        if (beta != 0) sum += beta * number_at(before, d.type, i + j * d.stride);
        if (product.epilogue == CUBLASLT_EPILOGUE_BIAS) {
          sum += number_at(product.bias, product.bias_type, i);
        }
        put(result, d.type, i + j * d.stride, sum);
      }
    }
  }
};

[[nodiscard]] bool aligned(const void* address, std::uint64_t alignment) {
  return alignment == 0 || reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (host_products().creates != CUBLAS_STATUS_SUCCESS) return host_products().creates;
  return make("cublasLtCreate", handle, cublasLtContext{});
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return destroy<cublasLtContext>("cublasLtDestroy", handle);
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_EXECUTION_FAILED ? "CUBLAS_STATUS_EXECUTION_FAILED"
                                                  : "another status";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  Descriptor made{};
  made.compute = compute;
  made.scale = scale;
  return make("cublasLtMatmulDescCreate", product, made);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  return destroy<Descriptor>("cublasLtMatmulDescDestroy", product);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t which,
                                              const void* value, size_t /*bytes*/) {
  auto& set = *static_cast<Descriptor*>(product);
  switch (which) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      read(set.left, value);
      break;
    case CUBLASLT_MATMUL_DESC_TRANSB:
      read(set.right, value);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      read(set.epilogue, value);
      break;
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      read(set.bias_type, value);
      break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      read(set.bias, value);
      break;
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t stride) {
  Layout made{};
  made.type = type;
  made.rows = rows;
  made.columns = columns;
  made.stride = stride;
  return make("cublasLtMatrixLayoutCreate", layout, made);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroy<Layout>("cublasLtMatrixLayoutDestroy", layout);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return make("cublasLtMatmulPreferenceCreate", preference, Preference{});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy<Preference>("cublasLtMatmulPreferenceDestroy", preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t which,
                                                    const void* value, size_t bytes) {
  std::uint64_t kept = 0;
  std::memcpy(&kept, value, bytes);
  static_cast<Preference*>(preference)->values[which] = kept;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t /*a*/,
    cublasLtMatrixLayout_t /*b*/, cublasLtMatrixLayout_t /*c*/, cublasLtMatrixLayout_t /*d*/,
    cublasLtMatmulPreference_t preference, int most, cublasLtMatmulHeuristicResult_t results[],
    int* count) {
  HostProducts& products = host_products();
  *count = 0;
  std::this_thread::sleep_for(products.search_takes);
  const std::lock_guard lock(host_runtime().alone);
  if (host_runtime().begin("cublasLtMatmulAlgoGetHeuristic") != cudaSuccess) {
    return CUBLAS_STATUS_INTERNAL_ERROR;
  }
  auto& asked = static_cast<Preference*>(preference)->values;
  products.searched.push_back({asked});
  if (products.searches != CUBLAS_STATUS_SUCCESS) return products.searches;
  const auto bias = reinterpret_cast<std::uintptr_t>(static_cast<Descriptor*>(product)->bias);
  for (std::size_t at = 0; at < products.candidates.size() && *count < most; ++at, ++*count) {
    cublasLtMatmulHeuristicResult_t& result = results[at];
    result.state = products.candidates[at].state;
    result.algo.data[number] = at;
    result.algo.data[w_alignment] = asked[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES];
    result.algo.data[x_alignment] = asked[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES];
    result.algo.data[y_alignment] = asked[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES];
    result.algo.data[bias_alignment] = std::min<std::uint64_t>(bias & -bias, 256);
    result.algo.data[splits] = static_cast<std::uint64_t>(products.candidates[at].splits);
    result.algo.data[reduction] = CUBLASLT_REDUCTION_SCHEME_NONE;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t which,
                                                    void* value, size_t bytes, size_t* written) {
  const std::lock_guard lock(host_runtime().alone);
  const auto& candidate = host_products().candidates.at(algorithm->data[number]);
  const auto give = [&](auto attribute) {
    if (bytes != sizeof(attribute)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(value, &attribute, bytes);
    *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (which) {
    case CUBLASLT_ALGO_CONFIG_ID:
      return give(static_cast<std::int32_t>(100 + algorithm->data[number]));
    case CUBLASLT_ALGO_CONFIG_TILE_ID:
      return give(candidate.tile);
    case CUBLASLT_ALGO_CONFIG_STAGES_ID:
      return give(candidate.stages);
    case CUBLASLT_ALGO_CONFIG_SPLITK_NUM:
      return give(static_cast<std::int32_t>(algorithm->data[splits]));
    case CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME:
      return give(static_cast<std::uint32_t>(algorithm->data[reduction]));
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatmulAlgoConfigSetAttribute(cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t which,
                                                    const void* value, size_t bytes) {
  if (bytes != 4) return CUBLAS_STATUS_INVALID_VALUE;
  std::uint32_t kept = 0;
  read(kept, value);
  if (which == CUBLASLT_ALGO_CONFIG_SPLITK_NUM) {
    algorithm->data[splits] = kept;
  } else if (which == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME) {
    algorithm->data[reduction] = kept;
  } else {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t /*handle*/,
                                       cublasLtMatmulDesc_t /*product*/,
                                       cublasLtMatrixLayout_t /*a*/, cublasLtMatrixLayout_t /*b*/,
                                       cublasLtMatrixLayout_t /*c*/, cublasLtMatrixLayout_t /*d*/,
                                       const cublasLtMatmulAlgo_t* algorithm,
                                       cublasLtMatmulHeuristicResult_t* result) {
  const std::lock_guard lock(host_runtime().alone);
  if (host_runtime().begin("cublasLtMatmulAlgoCheck") != cudaSuccess) {
    return CUBLAS_STATUS_INTERNAL_ERROR;
  }
  const auto& candidate = host_products().candidates.at(algorithm->data[number]);
  host_products().reductions.insert(static_cast<std::uint32_t>(algorithm->data[reduction]));
  if (!candidate.split_milliseconds.contains(static_cast<std::int32_t>(algorithm->data[splits]))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  result->workspaceSize = candidate.split_workspace;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t product,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout,
                              const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t /*c_layout*/, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* /*workspace*/,
                              size_t /*bytes*/, cudaStream_t stream) {
  HostProducts& products = host_products();
  const std::lock_guard lock(host_runtime().alone);
  // The library has a runtime of its own: what it meets there the caller's does not say.
  const cudaError_t last = host_runtime().last;
  const cudaError_t begun = host_runtime().begin("cublasLtMatmul");
  host_runtime().last = last;
  if (begun != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  const Loop loop{*static_cast<Descriptor*>(product),
                  *static_cast<Layout*>(a_layout),
                  *static_cast<Layout*>(b_layout),
                  *static_cast<Layout*>(d_layout),
                  *static_cast<const float*>(alpha),
                  *static_cast<const float*>(beta),
                  a,
                  b,
                  c,
                  d};
  const auto& needs = algorithm->data;
  if (!aligned(a, needs[w_alignment]) || !aligned(b, needs[x_alignment]) ||
      !aligned(d, needs[y_alignment]) || !aligned(loop.product.bias, needs[bias_alignment])) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const auto& candidate = products.candidates.at(needs[number]);
  const auto parts = static_cast<std::int32_t>(needs[splits]);
  products.multiplied.push_back({loop.product.compute, loop.product.scale, loop.a.type,
                                 needs[number], parts, loop.product.bias, loop.beta, d, loop.d.rows,
                                 loop.d.columns, loop.a.rows, loop.b.stride, loop.d.stride});
  if (candidate.runs != CUBLAS_STATUS_SUCCESS) return candidate.runs;
  const auto split = candidate.split_milliseconds.find(parts);
  (void)stamp::test::queue(
      stream, loop,
      split == candidate.split_milliseconds.end() ? candidate.milliseconds : split->second);
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
