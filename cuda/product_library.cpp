// SPDX-License-Identifier: Apache-2.0
// Opens cuBLASLt and finds its functions.
#include <dlfcn.h>

#include <stamp/cuda/product_library.hpp>

namespace stamp::cuda {

namespace {

[[nodiscard]] void* open_library() {
  constexpr const char* name = "libcublasLt.so." STAMP_CUBLAS_MAJOR;
  void* handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    handle =
        ::dlopen(STAMP_CUBLAS_FOLDER "/libcublasLt.so." STAMP_CUBLAS_MAJOR, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    fail(Fault::resource, std::string("cuda: no product library: expected ") + name +
                              " (cuBLASLt) on the library path, found none");
  }
  return handle;
}

template <class Function>
void find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(handle, name));
  if (function == nullptr) {
    fail(Fault::resource,
         std::string("cuda: product library: expected the function ") + name + ", found none");
  }
}

[[nodiscard]] ProductLibrary load() {
  void* const handle = open_library();
  ProductLibrary library;
  find(handle, "cublasLtCreate", library.create);
  find(handle, "cublasLtDestroy", library.destroy);
  find(handle, "cublasLtGetStatusString", library.status_text);
  find(handle, "cublasLtMatmul", library.matmul);
  find(handle, "cublasLtMatmulDescCreate", library.create_product);
  find(handle, "cublasLtMatmulDescDestroy", library.destroy_product);
  find(handle, "cublasLtMatmulDescSetAttribute", library.set_product);
  find(handle, "cublasLtMatrixLayoutCreate", library.create_layout);
  find(handle, "cublasLtMatrixLayoutDestroy", library.destroy_layout);
  find(handle, "cublasLtMatmulPreferenceCreate", library.create_preference);
  find(handle, "cublasLtMatmulPreferenceDestroy", library.destroy_preference);
  find(handle, "cublasLtMatmulPreferenceSetAttribute", library.set_preference);
  find(handle, "cublasLtMatmulAlgoGetHeuristic", library.candidates);
  find(handle, "cublasLtMatmulAlgoConfigGetAttribute", library.get_algorithm);
  find(handle, "cublasLtMatmulAlgoConfigSetAttribute", library.set_algorithm);
  find(handle, "cublasLtMatmulAlgoCheck", library.check_algorithm);
  return library;
}

}  // namespace

const ProductLibrary& ProductLibrary::get() {
  static const ProductLibrary library = load();
  return library;
}

}  // namespace stamp::cuda
