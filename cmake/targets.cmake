# SPDX-License-Identifier: Apache-2.0
# stamp::stamp      headers only: tensors, operations, layers, models; no dependency
# stamp::formats    checkpoints, text and images, a library: adds the libraries that read those
# stamp::reference  the reference backend (Eigen) with everything needed to load and run a model
# stamp::cpu        the fast backend for x86-64 processors, with the same; a library
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

# A library made of one unit for each of <stamp/PART.ipp>.
function(stamp_compiled library)
  set(units)
  foreach(part IN LISTS ARGN)
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/units/${part}.cpp)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include <stamp/${part}.ipp>\n")
    list(APPEND units ${unit})
  endforeach()
  add_library(${library} STATIC ${units})
  set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(TARGET stamp_flags)
    target_link_libraries(${library} PRIVATE $<BUILD_INTERFACE:stamp_flags>)
  endif()
  if(NOT PROJECT_IS_TOP_LEVEL)
    set_target_properties(${library} PROPERTIES EXCLUDE_FROM_ALL ON)  # only for those who link it
  endif()
endfunction()

# What reads and writes files is compiled once, from the same headers: a program that includes
# <stamp/formats.ipp> in one of its units needs no library.
stamp_compiled(stamp_formats checkpoint image session text)
add_library(stamp::formats ALIAS stamp_formats)
set_target_properties(stamp_formats PROPERTIES EXPORT_NAME formats)
target_link_libraries(stamp_formats PUBLIC stamp ${stamp_format_libraries})
if(JPEG_FOUND)
  target_compile_definitions(stamp_formats PUBLIC STAMP_HAS_LIBJPEG)
endif()

add_library(stamp_reference INTERFACE)
add_library(stamp::reference ALIAS stamp_reference)
set_target_properties(stamp_reference PROPERTIES EXPORT_NAME reference)
target_include_directories(stamp_reference INTERFACE $<BUILD_INTERFACE:${stamp_backend_includes}>)
target_link_libraries(stamp_reference INTERFACE stamp_formats Eigen3::Eigen Threads::Threads)

# Kernels for every instruction set are in the headers and chosen at run time; no flag is needed.
# The models on this engine are compiled once, as above (<stamp/cpu/cpu.ipp>).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  stamp_compiled(stamp_cpu cpu/cpu)
  add_library(stamp::cpu ALIAS stamp_cpu)
  set_target_properties(stamp_cpu PROPERTIES EXPORT_NAME cpu)
  target_include_directories(stamp_cpu PUBLIC $<BUILD_INTERFACE:${stamp_backend_includes}>)
  target_link_libraries(stamp_cpu PUBLIC stamp_formats Threads::Threads)
endif()
