# SPDX-License-Identifier: Apache-2.0
# stamp::stamp      headers only: tensors, operations, layers, models; no dependency
# stamp::formats    checkpoints, text and images: adds the libraries that read those
# stamp::reference  the reference backend (Eigen) with everything needed to load and run a model
# stamp::cpu        the fast backend for x86-64 processors, with the same
# stamp::cuda       the backend for NVIDIA GPUs, with the same: cmake/cuda.cmake
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)

# Backends live in folders of their own at the top of the tree but are included as
# <stamp/reference/engine.hpp>, in the build tree as after installation: links make it so.
set(stamp_backend_includes ${CMAKE_CURRENT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${stamp_backend_includes}/stamp)
foreach(backend reference cpu)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${backend} ${stamp_backend_includes}/stamp/${backend} SYMBOLIC)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${backend}/${backend}.hpp ${stamp_backend_includes}/stamp/${backend}.hpp SYMBOLIC)
endforeach()

add_library(stamp INTERFACE)
add_library(stamp::stamp ALIAS stamp)
target_compile_features(stamp INTERFACE cxx_std_20)
target_include_directories(stamp INTERFACE
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)

add_library(stamp_formats INTERFACE)
add_library(stamp::formats ALIAS stamp_formats)
set_target_properties(stamp_formats PROPERTIES EXPORT_NAME formats)
target_link_libraries(stamp_formats INTERFACE stamp ${stamp_format_libraries})
if(JPEG_FOUND)
  target_compile_definitions(stamp_formats INTERFACE STAMP_HAS_LIBJPEG)
endif()

add_library(stamp_reference INTERFACE)
add_library(stamp::reference ALIAS stamp_reference)
set_target_properties(stamp_reference PROPERTIES EXPORT_NAME reference)
target_include_directories(stamp_reference INTERFACE $<BUILD_INTERFACE:${stamp_backend_includes}>)
target_link_libraries(stamp_reference INTERFACE stamp_formats Eigen3::Eigen Threads::Threads)

# Kernels for every instruction set are in the headers and chosen at run time; no flag is needed.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_library(stamp_cpu INTERFACE)
  add_library(stamp::cpu ALIAS stamp_cpu)
  set_target_properties(stamp_cpu PROPERTIES EXPORT_NAME cpu)
  target_include_directories(stamp_cpu INTERFACE $<BUILD_INTERFACE:${stamp_backend_includes}>)
  target_link_libraries(stamp_cpu INTERFACE stamp_formats Threads::Threads)
endif()
