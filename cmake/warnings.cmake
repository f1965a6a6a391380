# SPDX-License-Identifier: Apache-2.0
# Flags for the programs built here; users of the headers keep their own.
add_library(stamp_flags INTERFACE)
target_compile_options(stamp_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  $<$<BOOL:${STAMP_WARNINGS_AS_ERRORS}>:-Werror>)
if(STAMP_SANITIZE)
  target_compile_options(stamp_flags INTERFACE -fsanitize=${STAMP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(stamp_flags INTERFACE -fsanitize=${STAMP_SANITIZE})
endif()
find_program(STAMP_CCACHE ccache)
if(STAMP_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${STAMP_CCACHE})
endif()
