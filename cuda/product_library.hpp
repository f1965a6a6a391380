// SPDX-License-Identifier: Apache-2.0
// cuBLASLt, opened when the first product asks for it: programs that never use a GPU do not load
// half a gigabyte of kernels, and a missing library is one clear line. Included by matmul.cpp only.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <stamp/cuda/device.hpp>

namespace stamp::cuda {

/// The functions of the library that are used, by their own names.
struct ProductLibrary {
  decltype(&::cublasLtCreate) create = nullptr;
  decltype(&::cublasLtDestroy) destroy = nullptr;
  decltype(&::cublasLtGetStatusString) status_text = nullptr;
  decltype(&::cublasLtMatmul) matmul = nullptr;
  decltype(&::cublasLtMatmulDescCreate) create_product = nullptr;
  decltype(&::cublasLtMatmulDescDestroy) destroy_product = nullptr;
  decltype(&::cublasLtMatmulDescSetAttribute) set_product = nullptr;
  decltype(&::cublasLtMatrixLayoutCreate) create_layout = nullptr;
  decltype(&::cublasLtMatrixLayoutDestroy) destroy_layout = nullptr;
  decltype(&::cublasLtMatmulPreferenceCreate) create_preference = nullptr;
  decltype(&::cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) candidates = nullptr;
  decltype(&::cublasLtMatmulAlgoConfigGetAttribute) get_algorithm = nullptr;
  decltype(&::cublasLtMatmulAlgoConfigSetAttribute) set_algorithm = nullptr;
  decltype(&::cublasLtMatmulAlgoCheck) check_algorithm = nullptr;

  /// Opens it once a process: where the system looks (LD_LIBRARY_PATH too), else where it stood
  /// when this was built. Error{resource} says what was looked for.
  [[nodiscard]] static const ProductLibrary& get();
};

/// Gives an object back to the library. Once a kernel has failed it stays where it is: the library
/// would call the runtime for it, which may not return, and the process is to end anyway.
template <auto destroy>
struct GiveBack {
  template <class Object>
  void operator()(Object* object) const noexcept {
    if (alive()) (void)(ProductLibrary::get().*destroy)(object);
  }
};
using LibraryHandle = std::unique_ptr<cublasLtContext, GiveBack<&ProductLibrary::destroy>>;
using ProductDescriptor =
    std::unique_ptr<cublasLtMatmulDescOpaque_t, GiveBack<&ProductLibrary::destroy_product>>;
using MatrixLayout =
    std::unique_ptr<cublasLtMatrixLayoutOpaque_t, GiveBack<&ProductLibrary::destroy_layout>>;
using SearchPreference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                                         GiveBack<&ProductLibrary::destroy_preference>>;

}  // namespace stamp::cuda
