// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/igmp.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::uint32_t dst : {proto::igmp::kAllHosts, std::uint32_t{0xef010203}}) {
    const auto query = proto::igmp::QueryView::parse(dst, {data, size});
    if (!query) {
      fuzz::use(core::info(query.error()).text);
      continue;
    }
    fuzz::require(query->version() >= 1 && query->version() <= 3, "a version that there is");
    fuzz::require(query->group() == 0 || proto::igmp::is_group(query->group()), "a group, or all");
    fuzz::require(query->max_response_ms() <= 3'174'400, "RFC 3376 section 4.1.1");
  }
  return 0;
}
