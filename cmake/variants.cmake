# SPDX-License-Identifier: BSD-3-Clause
# polluxd-v4, the daemon without IPv6: of the same sources, less those that are IPv6's alone, and
# with core::kInet6 false for those that both share.
option(POLLUX_V4 "build polluxd-v4, too" OFF)

# variant_library(NAME SOURCES ... [INET6 ...] [NO_INET6 ...] [ROOT FOLDER] [PUBLIC ...] [PRIVATE ...])
# The library NAME of SOURCES and INET6 and, with POLLUX_V4, NAME_v4 of SOURCES and NO_INET6. INET6
# names files of SOURCES, too. ROOT is for layer_root(). The rest is what both link, NAME_v4 in the
# variant without IPv6 where a library has one.
function(variant_library name)
  cmake_parse_arguments(arg "" "ROOT" "SOURCES;INET6;NO_INET6;PUBLIC;PRIVATE" ${ARGN})
  list(REMOVE_ITEM arg_SOURCES ${arg_INET6} ${arg_NO_INET6})
  add_library(${name} STATIC ${arg_SOURCES} ${arg_INET6})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  if(arg_ROOT)
    layer_root(${name} ${arg_ROOT})
  endif()
  if(NOT POLLUX_V4)
    return()
  endif()
  add_library(${name}_v4 STATIC ${arg_SOURCES} ${arg_NO_INET6})
  target_compile_definitions(${name}_v4 PUBLIC POLLUX_INET6=0)
  # Functions of IPv6 that share a file with others have no caller: the linker leaves them out.
  target_compile_options(${name}_v4 PRIVATE -ffunction-sections)
  target_link_options(${name}_v4 INTERFACE -Wl,--gc-sections)
  foreach(visibility PUBLIC PRIVATE)
    foreach(library ${arg_${visibility}})
      if(TARGET ${library}_v4)
        set(library ${library}_v4)
      endif()
      target_link_libraries(${name}_v4 ${visibility} ${library})
    endforeach()
  endforeach()
  if(arg_ROOT)
    layer_root(${name}_v4 ${arg_ROOT})
  endif()
endfunction()
