# SPDX-License-Identifier: Apache-2.0
# The libraries that the targets stand on; the same file serves the build and find_package(stamp).
# Why each is there, and the oldest release that is known to work: docs/dependencies.md.

# find_package(stamp COMPONENTS …) asks only for what those targets need: stamp, the headers alone,
# needs nothing, and Eigen is needed by reference.
if(NOT stamp_FIND_COMPONENTS OR "reference" IN_LIST stamp_FIND_COMPONENTS)
  find_package(Eigen3 3.4 REQUIRED NO_MODULE)
endif()
if(NOT "${stamp_FIND_COMPONENTS}" STREQUAL "stamp")
  find_package(Threads REQUIRED)
  find_package(nlohmann_json 3.11 REQUIRED)
  find_package(xtl 0.7 REQUIRED)
  find_package(JPEG QUIET)  # libjpeg-turbo: JPEG pixels equal to Pillow's; stb_image reads them without it
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET GLOBAL libpcre2-8>=10.42)
  # 2.6 is what the pkg-config file of utf8proc 2.8 says: the version of its binary interface.
  pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET GLOBAL libutf8proc>=2.6)
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
endif()
