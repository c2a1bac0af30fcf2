// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/udp.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input in{data, size};
  const auto udp = proto::UdpView::parse(in);
  if (!udp) {
    fuzz::use(core::info(udp.error()).text);
    return 0;
  }
  fuzz::use(udp->src_port());
  fuzz::use(udp->dst_port());
  fuzz::use(udp->checksum());
  fuzz::require_within(udp->payload(), in);
  fuzz::require(udp->payload().size() + 8 == proto::load_be16(in, 4), "Length counts the header");
  return 0;
}
