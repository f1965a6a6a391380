# SPDX-License-Identifier: Apache-2.0
# The libraries that the headers stand on; the same file serves the build and find_package(stamp).
# Why each is there: docs/dependencies.md.
find_package(Threads REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(xtl REQUIRED)
find_package(JPEG QUIET)  # libjpeg-turbo: JPEG pixels equal to Pillow's; stb_image reads them without it
find_package(PkgConfig REQUIRED)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET GLOBAL libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET GLOBAL libutf8proc)
find_path(STAMP_STB_INCLUDE stb_image.h PATH_SUFFIXES stb REQUIRED)

if(NOT TARGET stamp_stb)
  add_library(stamp_stb INTERFACE IMPORTED GLOBAL)
  set_target_properties(stamp_stb PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${STAMP_STB_INCLUDE}
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${STAMP_STB_INCLUDE})
endif()
set(stamp_format_libraries
  nlohmann_json::nlohmann_json xtl PkgConfig::pcre2 PkgConfig::utf8proc stamp_stb)
if(JPEG_FOUND)
  list(APPEND stamp_format_libraries JPEG::JPEG)
endif()
