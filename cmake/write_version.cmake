# SPDX-License-Identifier: BSD-3-Clause
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE git OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT git)
  set(git "unknown")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT [[
#pragma once
#define POLLUX_VERSION "@VERSION@"
#define POLLUX_GIT "@git@"
]] @ONLY)
