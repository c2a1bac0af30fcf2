// SPDX-License-Identifier: BSD-3-Clause
#include <vector>

#include "proto/wire/icmp6.hh"
#include "proto/wire/ip6_extension.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input in{data, size};
  const auto icmp = proto::Icmp6View::parse(in);
  fuzz::require(static_cast<bool>(icmp) == (size >= 8), "a message is 8 bytes or more");
  if (!icmp) return 0;
  const std::uint64_t pseudo = proto::pseudo_header_sum({}, {}, size, proto::kProtocolIcmp6);
  fuzz::use(icmp->checksum());
  fuzz::use(icmp->verify_checksum(pseudo));
  fuzz::require(!(icmp->is_error() && icmp->is_discovery()), "discovery is no error");
  fuzz::require(icmp->word() == (std::uint32_t{icmp->id()} << 16 | icmp->sequence()),
                "id and sequence are the word");
  fuzz::require_within(icmp->body(), in);
  // An error carries the head of the packet that caused it.
  if (icmp->is_error())
    if (const auto inner = proto::Ip6View::parse(icmp->body(), 65575))
      if (const auto upper = proto::glance_at_upper(*inner))
        fuzz::require(upper->later_fragment || upper->at <= inner->packet().size(),
                      "the upper layer begins in what is seen");

  std::vector<std::uint8_t> again{data, data + size};
  proto::emit(proto::Icmp6Fields{icmp->type(), icmp->code(), icmp->word()}, again, pseudo);
  const auto made = proto::Icmp6View::parse(again);
  fuzz::require(made && made->verify_checksum(pseudo), "what emit writes has a right checksum");
  fuzz::require(
      made->word() == icmp->word() && made->type() == icmp->type() && made->code() == icmp->code(),
      "emit writes what parse has read");
  return 0;
}
