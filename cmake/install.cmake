# SPDX-License-Identifier: Apache-2.0
# Installation and the package for find_package(stamp).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(DIRECTORY include/stamp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(stamp_installed stamp stamp_formats)
set(stamp_components stamp formats)
foreach(backend reference cpu cuda)
  if(TARGET stamp_${backend})
    install(DIRECTORY ${backend}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stamp/${backend}
      FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp" PATTERN "*.inc" PATTERN "pytorch" EXCLUDE
      PATTERN "product_library.hpp" EXCLUDE PATTERN "product_choices.hpp" EXCLUDE PATTERN "status.hpp" EXCLUDE
      PATTERN "${backend}.hpp" EXCLUDE)
    install(FILES ${backend}/${backend}.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stamp)
    list(APPEND stamp_installed stamp_${backend})
    list(APPEND stamp_components ${backend})
  endif()
endforeach()
set(stamp_has_cuda OFF)
if(TARGET stamp_cuda)
  set(stamp_has_cuda ON)
endif()
install(TARGETS ${stamp_installed} EXPORT stamp)
string(REPLACE ";" " " stamp_components "${stamp_components}")
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/stamp)
install(EXPORT stamp NAMESPACE stamp:: DESTINATION ${package_folder})
configure_package_config_file(cmake/stamp-config.cmake.in stamp-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(stamp-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/stamp-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/stamp-config-version.cmake
  cmake/dependencies.cmake DESTINATION ${package_folder})
if(TARGET stamp_command)
  install(TARGETS stamp_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY examples/models/tiny examples/models/tiny-sam DESTINATION ${CMAKE_INSTALL_DATADIR}/stamp/models)
endif()
