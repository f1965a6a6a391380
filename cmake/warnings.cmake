# SPDX-License-Identifier: Apache-2.0
# Flags for the programs built here; users of the headers keep their own.
add_library(stamp_flags INTERFACE)
set(stamp_cxx "$<COMPILE_LANGUAGE:CXX>")
set(stamp_cuda_language "$<COMPILE_LANGUAGE:CUDA>")
# nvcc hands -Xcompiler to the host's compiler; what it generates there is neither pedantic nor free of shadows.
target_compile_options(stamp_flags INTERFACE
  "$<${stamp_cxx}:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow>"
  "$<$<AND:${stamp_cxx},$<BOOL:${STAMP_WARNINGS_AS_ERRORS}>>:-Werror>"
  "$<${stamp_cuda_language}:-Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas>"
  "$<$<AND:${stamp_cuda_language},$<BOOL:${STAMP_WARNINGS_AS_ERRORS}>>:-Werror=all-warnings;-Xcompiler=-Werror>")
if(STAMP_SANITIZE)
  string(REPLACE "," ";" stamp_sanitizers "${STAMP_SANITIZE}")  # -Xcompiler splits at commas
  list(TRANSFORM stamp_sanitizers PREPEND -Xcompiler=-fsanitize=)
  target_compile_options(stamp_flags INTERFACE
    "$<${stamp_cxx}:-fsanitize=${STAMP_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>"
    "$<${stamp_cuda_language}:${stamp_sanitizers};-Xcompiler=-fno-omit-frame-pointer,-fno-sanitize-recover=all>")
  target_link_options(stamp_flags INTERFACE -fsanitize=${STAMP_SANITIZE})
endif()
find_program(STAMP_CCACHE ccache)
if(STAMP_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${STAMP_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${STAMP_CCACHE})
endif()
