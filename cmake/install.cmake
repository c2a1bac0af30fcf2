# SPDX-License-Identifier: BSD-3-Clause
# What a server needs: the programs, the drivers where polluxd looks for them (../lib/pollux), and
# the header for drivers of one's own.
include(GNUInstallDirs)
install(TARGETS polluxd plx pollux-gen RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(POLLUX_V4)
  install(TARGETS polluxd-v4 RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${CMAKE_BINARY_DIR}/lib/pollux/ DESTINATION lib/pollux
  USE_SOURCE_PERMISSIONS FILES_MATCHING PATTERN "*.so")
install(FILES core/driver.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pollux)
