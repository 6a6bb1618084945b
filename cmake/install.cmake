# `cmake --install`: the program, the library, its headers, and what find_package(Partita) and pkg-config read.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/Partita)

if(PARTITA_PROGRAM)
  install(TARGETS partita_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS partita EXPORT PartitaTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/partita DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp")

install(EXPORT PartitaTargets NAMESPACE Partita:: DESTINATION ${package_directory})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/PartitaConfig.cmake.in
  ${PROJECT_BINARY_DIR}/PartitaConfig.cmake INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/PartitaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/PartitaConfig.cmake ${PROJECT_BINARY_DIR}/PartitaConfigVersion.cmake
  DESTINATION ${package_directory})

# A static library's dependencies are public, so that `pkg-config --libs partita` links either kind.
set(pc_requires "sentencepiece libpcre2-8 libutf8proc")
set(pc_libraries "-ldnnl ${OpenMP_CXX_FLAGS}")
set(pc_requires_private "")
set(pc_libraries_private "")
if(BUILD_SHARED_LIBS)
  foreach(field requires libraries)
    set(pc_${field}_private "${pc_${field}}")
    set(pc_${field} "")
  endforeach()
endif()
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/partita.pc.in ${PROJECT_BINARY_DIR}/partita.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/partita.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
