# SPDX-License-Identifier: Apache-2.0
# stamp::cuda, the backend for NVIDIA GPUs: a library, because kernels need nvcc; its headers do not.
# Needs a CUDA toolkit and cuBLASLt's header: from the toolkit, or from the Python environment that
# cuda/cublas.sh fills. What is missing is said in one line and the rest is built without it.
function(stamp_without_cuda reason)
  if(STAMP_CUDA STREQUAL "ON")
    message(FATAL_ERROR "stamp::cuda: STAMP_CUDA is ON, but ${reason}")
  endif()
  message(STATUS "stamp::cuda: skipped, ${reason}")
endfunction()

if(NOT STAMP_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "STAMP_CUDA: expected AUTO, ON or OFF, found ${STAMP_CUDA}")
endif()
if(STAMP_CUDA STREQUAL "OFF")
  stamp_without_cuda("STAMP_CUDA is OFF")
  return()
endif()
find_program(STAMP_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin PATHS /usr/local/cuda/bin)
if(NOT STAMP_NVCC)
  stamp_without_cuda("no CUDA toolkit was found (nvcc)")
  return()
endif()

cmake_path(GET STAMP_NVCC PARENT_PATH nvcc_folder)
find_path(STAMP_CUBLAS_INCLUDE cublasLt.h PATHS ${nvcc_folder}/../include NO_DEFAULT_PATH)
if(NOT STAMP_CUBLAS_INCLUDE)
  file(GLOB cublas_folders ${PROJECT_SOURCE_DIR}/.venv/lib/python3.*/site-packages/nvidia/cu13)
  list(TRANSFORM cublas_folders APPEND /include)
  find_path(STAMP_CUBLAS_INCLUDE cublasLt.h PATHS ${cublas_folders} NO_DEFAULT_PATH)
endif()
if(NOT STAMP_CUBLAS_INCLUDE)
  stamp_without_cuda("no cuBLASLt was found (cublasLt.h); bash cuda/cublas.sh brings it")
  return()
endif()
cmake_path(GET STAMP_CUBLAS_INCLUDE PARENT_PATH cublas_folder)
find_path(STAMP_CUBLAS_LIBRARIES NAMES libcublasLt.so libcublasLt.so.13 libcublasLt.so.12
  PATHS ${cublas_folder}/lib ${cublas_folder}/lib64 NO_DEFAULT_PATH)
file(STRINGS ${STAMP_CUBLAS_INCLUDE}/cublas_api.h cublas_major REGEX "#define CUBLAS_VER_MAJOR ")
string(REGEX REPLACE "[^0-9]" "" cublas_major "${cublas_major}")

# Machine code for Ampere (every 8.x runs it), its PTX for what comes later, and Hopper's own.
set(CMAKE_CUDA_ARCHITECTURES "80;90a-real" CACHE STRING "Architectures of the CUDA kernels")
set(CMAKE_CUDA_COMPILER ${STAMP_NVCC})
enable_language(CUDA)
find_package(CUDAToolkit QUIET)
if(NOT CUDAToolkit_FOUND OR CUDAToolkit_VERSION VERSION_LESS 12.4)
  stamp_without_cuda("CUDA 12.4 or later is needed, found ${CUDAToolkit_VERSION}")
  return()
endif()

file(CREATE_LINK ${PROJECT_SOURCE_DIR}/cuda ${stamp_backend_includes}/stamp/cuda SYMBOLIC)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/cuda/cuda.hpp ${stamp_backend_includes}/stamp/cuda.hpp SYMBOLIC)
file(GLOB cuda_sources CONFIGURE_DEPENDS cuda/*.cu cuda/*.cpp cuda/attend/*.cu)
add_library(stamp_cuda STATIC ${cuda_sources})
add_library(stamp::cuda ALIAS stamp_cuda)
if(NOT PROJECT_IS_TOP_LEVEL)
  set_target_properties(stamp_cuda PROPERTIES EXCLUDE_FROM_ALL ON)  # only for those who link it
endif()
set_target_properties(stamp_cuda PROPERTIES EXPORT_NAME cuda POSITION_INDEPENDENT_CODE ON)
target_include_directories(stamp_cuda PUBLIC $<BUILD_INTERFACE:${stamp_backend_includes}>)
target_include_directories(stamp_cuda SYSTEM PRIVATE ${STAMP_CUBLAS_INCLUDE} ${CUDAToolkit_INCLUDE_DIRS})
# The library is opened when first used, so programs that never touch a GPU do not load it.
target_link_libraries(stamp_cuda PUBLIC stamp_formats PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
# CMake 3.25 knows no CUDA_STANDARD 20.
set(stamp_cuda_options -std=c++20 --expt-relaxed-constexpr -lineinfo)
target_compile_options(stamp_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${stamp_cuda_options}>")
# Its pixels are the host's, bit for bit: products and sums are rounded one by one.
set_source_files_properties(cuda/threshold_picture.cu PROPERTIES COMPILE_OPTIONS --fmad=false)
list(JOIN CMAKE_CUDA_ARCHITECTURES " " built_for)
target_compile_definitions(stamp_cuda PRIVATE STAMP_CUDA_BUILT_FOR="${built_for}"
  STAMP_CUBLAS_MAJOR="${cublas_major}" STAMP_CUBLAS_FOLDER="${STAMP_CUBLAS_LIBRARIES}")
if(TARGET stamp_flags)
  target_link_libraries(stamp_cuda PRIVATE $<BUILD_INTERFACE:stamp_flags>)
endif()
message(STATUS "stamp::cuda: CUDA ${CUDAToolkit_VERSION} for ${built_for}, cuBLASLt ${cublas_major} from ${STAMP_CUBLAS_INCLUDE}")
