# SPDX-License-Identifier: Apache-2.0
# Installation and the package for find_package(stamp).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(DIRECTORY include/stamp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY reference/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stamp/reference
  FILES_MATCHING PATTERN "*.hpp" PATTERN "pytorch" EXCLUDE PATTERN "reference.hpp" EXCLUDE)
install(FILES reference/reference.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stamp)
install(TARGETS stamp stamp_formats stamp_reference EXPORT stamp)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/stamp)
install(EXPORT stamp NAMESPACE stamp:: DESTINATION ${package_folder})
configure_package_config_file(cmake/stamp-config.cmake.in stamp-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(stamp-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/stamp-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/stamp-config-version.cmake
  cmake/dependencies.cmake DESTINATION ${package_folder})
if(TARGET stamp_command)
  install(TARGETS stamp_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY examples/models/tiny DESTINATION ${CMAKE_INSTALL_DATADIR}/stamp/models)
endif()
