// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/inspect.hh"

#include <algorithm>

#include "core/mbuf.hh"
#include "proto/wire/checksum.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6.hh"
#include "proto/wire/ip_protocol.hh"

namespace gen {
using proto::Bytes;

namespace {
/// The payload of an IP packet, and what its checksum covers beside it.
struct Transport {
  std::uint8_t protocol = 0;
  Bytes bytes;               ///< what lies in the first segment
  std::uint64_t pseudo = 0;  ///< sum of the pseudo-header, length included
  bool ip_ok = false;        ///< the header's checksum holds
};

/// What lies in the segments behind the first one.
struct Tail {
  std::size_t length = 0;
  std::uint64_t even_sum = 0;  ///< unfolded, as if it began at an even offset
};

Tail tail_of(const rte_mbuf& m) noexcept {
  Tail tail;
  core::for_each_segment(m, m.data_len, [&](Bytes part) {
    const std::uint16_t sum = proto::fold_checksum(proto::sum_words(part));
    // Bytes at an odd offset stand in the other half of their words (RFC 1071 section 2 (B)).
    tail.even_sum += tail.length % 2 == 0 ? sum : __builtin_bswap16(sum);
    tail.length += part.size();
  });
  return tail;
}

bool ip4_transport(Bytes l3, std::size_t length, Transport& to) noexcept {
  const auto ip = proto::Ip4View::parse(l3, length);
  if (!ip || ip->is_fragment()) return false;
  to = {.protocol = ip->protocol(),
        .bytes = ip->payload(),
        .pseudo =
            proto::sum_words(ip->header().subspan(12, 8)) + ip->protocol() + ip->payload_length(),
        .ip_ok = ip->verify_checksum()};
  return true;
}

bool ip6_transport(Bytes l3, std::size_t length, Transport& to) noexcept {
  const auto ip = proto::Ip6View::parse(l3, length);
  if (!ip) return false;
  to = {.protocol = ip->next_header(),
        .bytes = ip->payload(),
        .pseudo =
            proto::pseudo_header_sum(ip->src(), ip->dst(), ip->payload_length(), ip->next_header()),
        .ip_ok = true};
  return true;
}

bool checksum_ok(const Transport& t, const Tail& tail) noexcept {
  // A checksum of zero: the sender, or a translator on the way, has none (RFC 768).
  if (t.protocol == proto::kProtocolUdp && proto::load_be16(t.bytes, 6) == 0) return true;
  const std::uint16_t rest = proto::fold_checksum(tail.even_sum);
  const std::uint64_t behind = t.bytes.size() % 2 == 0 ? rest : __builtin_bswap16(rest);
  return proto::fold_checksum(t.pseudo + proto::sum_words(t.bytes) + behind) == 0xffff;
}

Inspection inspect(Bytes frame, const Tail& tail, std::uint16_t run) noexcept {
  const auto [at, type] = ether_payload(frame);
  if (at == 0) return {};
  if (type == proto::kEtherTypeArp) return {.kind = FrameKind::Control};
  const Bytes l3 = frame.subspan(at);
  const std::size_t length = l3.size() + tail.length;
  Transport t;
  const bool parsed = type == proto::kEtherTypeIp4   ? ip4_transport(l3, length, t)
                      : type == proto::kEtherTypeIp6 ? ip6_transport(l3, length, t)
                                                     : false;
  if (!parsed) return {};
  if (t.protocol == proto::kProtocolIcmp6) return {.kind = FrameKind::Control};
  const std::size_t header = t.protocol == proto::kProtocolUdp   ? 8
                             : t.protocol == proto::kProtocolTcp ? 20
                                                                 : 0;
  if (header == 0 || t.bytes.size() < header + Signature::kLen) return {};
  const Bytes payload = t.bytes.subspan(header);
  if (!has_signature(payload)) return {};
  Inspection found{.kind = FrameKind::Ours, .signature = load_signature(payload)};
  if (!t.ip_ok || !checksum_ok(t, tail))
    found.kind = FrameKind::Corrupt;
  else if (found.signature.run != run)
    found.kind = FrameKind::Stale;
  return found;
}
}  // namespace

EtherPayload ether_payload(Bytes frame) noexcept {
  constexpr std::size_t kMaxTags = 4;
  const auto ether = proto::EtherView::parse(frame);
  if (!ether) return {};
  EtherPayload p{.at = proto::EtherView::kHeaderLen, .type = ether->type()};
  for (std::size_t tag = 0; tag < kMaxTags; ++tag) {
    if (p.type != proto::kTpidC && p.type != proto::kTpidS) return p;
    if (frame.size() < p.at + 4) return {};
    p.type = proto::load_be16(frame, p.at + 2);
    p.at += 4;
  }
  return p;
}

Inspection inspect(Bytes frame, std::uint16_t run) noexcept {
  return inspect(frame, Tail{}, run);
}

Inspection inspect(const rte_mbuf& m, std::uint16_t run) noexcept {
  if (!core::is_chain(m)) [[likely]]
    return inspect(core::front_bytes(m), Tail{}, run);
  return inspect(core::front_bytes(m), tail_of(m), run);
}
}  // namespace gen
