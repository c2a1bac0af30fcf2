// SPDX-License-Identifier: BSD-3-Clause
#include <vector>

#include "proto/wire/ip6_extension.hh"
#include "tests/fuzz/fuzz.hh"

namespace {
void use_accessors(const proto::Ip6View& ip) {
  fuzz::use(ip.traffic_class());
  fuzz::use(ip.flow_label());
  fuzz::use(ip.next_header());
  fuzz::use(ip.hop_limit());
  fuzz::use(ip.src());
  fuzz::use(ip.dst());
}

/// What the walk says lies within what is seen, and is what the packet says.
void walk(const proto::Ip6View& ip, unsigned max) {
  const fuzz::Input packet = ip.packet();
  const auto upper = proto::walk_extensions(ip, max);
  if (!upper) {
    const proto::Ip6Refusal& r = upper.error();
    fuzz::use(core::info(r.reason).text);
    fuzz::require(r.silent() ? r.pointer == 0 : r.pointer < packet.size(),
                  "a pointer points into the packet");
    fuzz::require(r.silent() || r.code <= 2, "parameter problems have three codes");
    return;
  }
  fuzz::require(upper->at >= 40 && upper->at <= packet.size(), "the walk ends in the packet");
  fuzz::require(packet[upper->named_at] == upper->protocol, "a Next Header field names the end");
  const auto glance = proto::glance_at_upper(ip);
  if (glance && upper->protocol != proto::kProtocolFragment &&
      upper->protocol != proto::kProtocolAh)
    fuzz::require(glance->at == upper->at && glance->protocol == upper->protocol,
                  "judged or not, the upper layer is the same");
  if (upper->protocol != proto::kProtocolFragment) return;
  const auto fragment = proto::Ip6FragmentView::parse(packet.subspan(upper->at));
  fuzz::require(fragment && !fragment->is_atomic(), "a whole packet is no fragment");
  std::vector<std::uint8_t> again(8);
  proto::emit(proto::Ip6FragmentFields{fragment->next_header(),
                                       static_cast<std::uint16_t>(fragment->offset()),
                                       fragment->more(), fragment->id()},
              again);
  const auto made = proto::Ip6FragmentView::parse(again);
  fuzz::require(made && made->offset() == fragment->offset() && made->more() == fragment->more() &&
                    made->id() == fragment->id() && made->next_header() == fragment->next_header(),
                "emit writes what parse has read");
}

void emit_again(const proto::Ip6View& ip) {
  std::vector<std::uint8_t> packet(ip.packet().begin(), ip.packet().end());
  proto::emit(proto::Ip6Fields{.traffic_class = ip.traffic_class(),
                               .flow_label = ip.flow_label(),
                               .next_header = ip.next_header(),
                               .hop_limit = ip.hop_limit(),
                               .src = ip.src(),
                               .dst = ip.dst()},
              packet, ip.total_length());
  fuzz::require(std::equal(packet.begin(), packet.end(), ip.packet().begin()),
                "emit writes what parse has read");
  if (ip.src() != core::IpAddress{}) return;
  proto::set_source(packet, ip.dst());
  fuzz::require(proto::Ip6View::parse(packet, ip.total_length())->src() == ip.dst(),
                "set_source sets the source");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned max = data[0] & 0xf;
  const fuzz::Input in{data + 1, size - 1};
  const auto ip = proto::Ip6View::parse(in);
  if (!ip) {
    fuzz::use(core::info(ip.error()).text);
    return 0;
  }
  use_accessors(*ip);
  fuzz::require_within(ip->packet(), in);
  fuzz::require_within(ip->payload(), in);
  fuzz::require(ip->packet().size() == ip->total_length(), "header and payload are the packet");
  walk(*ip, max);
  if (ip->next_header() == proto::kProtocolHopByHop)
    if (const auto refusal = proto::judge_hop_by_hop(*ip); refusal && !refusal->silent())
      fuzz::require(refusal->pointer < ip->packet().size(), "a pointer points into the packet");
  emit_again(*ip);
  // The beginning of a packet, wherever it is cut.
  const std::vector<std::uint8_t> front{
      in.begin(), in.begin() + static_cast<std::ptrdiff_t>(in.back() % (in.size() + 1))};
  const auto seen = proto::Ip6View::parse(front, in.size());
  fuzz::require(static_cast<bool>(seen) == (front.size() >= 40), "a whole header is enough");
  if (!seen) return 0;
  fuzz::require_within(seen->packet(), front);
  fuzz::require(seen->total_length() == ip->total_length(), "Payload Length is the packet's");
  walk(*seen, max);
  return 0;
}
