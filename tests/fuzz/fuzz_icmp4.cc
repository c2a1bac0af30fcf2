// SPDX-License-Identifier: BSD-3-Clause
#include <vector>

#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input in{data, size};
  const auto icmp = proto::Icmp4View::parse(in);
  fuzz::require(static_cast<bool>(icmp) == (size >= 8), "a message is 8 bytes or more");
  if (!icmp) return 0;
  fuzz::use(icmp->checksum());
  fuzz::use(icmp->mtu());
  fuzz::use(icmp->verify_checksum());
  fuzz::require_within(icmp->body(), in);
  // An error carries the head of the packet that caused it.
  if (icmp->is_error())
    if (const auto inner = proto::Ip4View::parse(icmp->body())) fuzz::touch(inner->payload());

  std::vector<std::uint8_t> again{data, data + size};
  proto::emit(proto::Icmp4Fields{icmp->type(), icmp->code(), icmp->id(), icmp->sequence()}, again);
  const auto made = proto::Icmp4View::parse(again);
  fuzz::require(made && made->verify_checksum(), "what emit writes has a right checksum");
  fuzz::require(made->id() == icmp->id() && made->sequence() == icmp->sequence() &&
                    made->type() == icmp->type() && made->code() == icmp->code(),
                "emit writes what parse has read");
  return 0;
}
