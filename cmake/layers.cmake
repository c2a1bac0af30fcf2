# SPDX-License-Identifier: BSD-3-Clause
# Who may include whom, kept by the compiler: every layer has an include root of its own that holds
# nothing but a link to its folder. A target sees the roots of the layers it links, and no other.

# Our code's warnings. DPDK's headers come through an imported target and are system headers.
add_library(pollux_flags INTERFACE)
target_compile_options(pollux_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror
  # clang's -Wconversion holds this one as well, g++'s does not: both shall judge alike.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>
  # pkg-config says -march=corei7; x86-64-v2 is the same set under its generic name.
  -march=x86-64-v2)
if(POLLUX_SANITIZE)
  target_compile_options(pollux_flags INTERFACE
    -fsanitize=${POLLUX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pollux_flags INTERFACE -fsanitize=${POLLUX_SANITIZE})
endif()
if(POLLUX_FUZZ)
  target_compile_options(pollux_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# layer_root(target folder): what links `target` may include files of `folder`.
function(layer_root target folder)
  set(root ${CMAKE_BINARY_DIR}/roots/${target})
  get_filename_component(parent ${root}/${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${root}/${folder} SYMBOLIC)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    target_include_directories(${target} INTERFACE ${root})
  else()
    target_include_directories(${target} PUBLIC ${root})
  endif()
endfunction()
