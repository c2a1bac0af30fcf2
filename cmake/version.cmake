# SPDX-License-Identifier: BSD-3-Clause
# build/.../generated/pollux_version.hh, made anew by every build, rewritten only when it changes.
set(POLLUX_GENERATED ${CMAKE_BINARY_DIR}/generated)
add_custom_target(pollux_version_header
  COMMAND ${CMAKE_COMMAND} -D SOURCE=${CMAKE_SOURCE_DIR} -D OUT=${POLLUX_GENERATED}/pollux_version.hh
          -D VERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake
  BYPRODUCTS ${POLLUX_GENERATED}/pollux_version.hh
  COMMENT "version")
add_library(pollux_version INTERFACE)
add_dependencies(pollux_version pollux_version_header)
target_include_directories(pollux_version INTERFACE ${POLLUX_GENERATED})
