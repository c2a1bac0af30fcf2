// SPDX-License-Identifier: BSD-3-Clause
#include "proto/reassembly.hh"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>
#include <random>

#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
namespace {
using core::DropReason;
using Arrived = Reassembler::Arrived;
using Whole = Reassembler::Whole;

constexpr std::uint32_t kMaxLength = 65'535;  ///< of an IPv4 packet, and of an IPv6 payload
constexpr std::uint8_t kNotEct = 0, kCe = 3;  ///< RFC 3168 section 5
}  // namespace

// ---- the table ---------------------------------------------------------------------------------
std::uint64_t Reassembler::random_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

Reassembler::Reassembler(std::uint64_t seed)
    : table_{2 * std::size_t{kMaxDatagrams}, kMaxFragments, seed} {}

Reassembler::~Reassembler() {
  assert(table_.fragments() == 0 && "fragments were left behind");
}

void Reassembler::drop_fragments(core::Worker& w, Slot d, DropReason why) noexcept {
  table_.take_fragments(d, [&](const DatagramTable::Fragment& f) { w.drop(f.m, why); });
}

void Reassembler::evict(core::Worker& w, Slot d) noexcept {
  drop_fragments(w, d, DropReason::FragmentEvicted);
  table_.close(d);
}

/// The datagram stays, without fragments, so that those still to come do not begin a new one.
void Reassembler::give_up(core::Worker& w, Slot d, DropReason why) noexcept {
  drop_fragments(w, d, why);
  table_[d].given_up = true;
  table_[d].why = why;
}

void Reassembler::clear(core::Worker& w, DropReason why) noexcept {
  for (const auto family : {DatagramTable::kIp4, DatagramTable::kIp6})
    for (Slot d; (d = table_.oldest(family)) != DatagramTable::kNone;) {
      drop_fragments(w, d, why);
      table_.close(d);
    }
  show();
}

Reassembler::Slot Reassembler::oldest() noexcept {
  const Slot a = table_.oldest(DatagramTable::kIp4), b = table_.oldest(DatagramTable::kIp6);
  if (a == DatagramTable::kNone || b == DatagramTable::kNone)
    return a == DatagramTable::kNone ? b : a;
  return table_[a].born_us <= table_[b].born_us ? a : b;
}

/// The fragment's datagram, new where it is the first to come. kNone: none may be kept.
Reassembler::Slot Reassembler::find_or_open(core::Worker& w, const ReassemblyLimits& limits,
                                            const DatagramKey& key) noexcept {
  if (const Slot d = table_.find(key); d != DatagramTable::kNone) return d;
  const auto family = key.src.is_ip4() ? DatagramTable::kIp4 : DatagramTable::kIp6;
  const std::uint16_t limit = std::min(
      family == DatagramTable::kIp4 ? limits.ip4_datagrams : limits.ip6_datagrams, kMaxDatagrams);
  if (limit == 0) return DatagramTable::kNone;
  const auto* source = table_.source_of(key);
  if (source != nullptr && source->datagrams >= std::max(1, limit / kShare))
    evict(w, source->oldest);
  while (table_.datagrams(family) >= limit) evict(w, table_.oldest(family));
  return table_.open(key, w.now_us);
}

/// Sees to it that one fragment more may be kept for `d`. @return false: `d` is given up or gone.
bool Reassembler::make_room(core::Worker& w, const ReassemblyLimits& limits, Slot d) noexcept {
  const std::size_t limit = std::min(limits.fragments, kMaxFragments);
  const std::size_t most = std::min<std::size_t>(std::min(limits.per_datagram, kMaxPerDatagram),
                                                 std::max<std::size_t>(1, limit / 2));
  const std::size_t share = std::max(most, limit / kShare);
  if (table_[d].fragments >= most) {
    give_up(w, d, DropReason::FragmentTooMany);
    return false;
  }
  // One that is given up has nothing to give: the loops pass over those, and end at `d`.
  while (table_.source(table_[d].source).fragments >= share) {
    const Slot victim = table_.source(table_[d].source).oldest;
    evict(w, victim);
    if (victim == d) return false;
  }
  while (table_.fragments() >= limit) {
    const Slot victim = oldest();
    evict(w, victim);
    if (victim == d) return false;
  }
  return true;
}

Whole Reassembler::add(core::Worker& w, const ReassemblyLimits& limits, rte_mbuf* m,
                       const Arrived& fragment) noexcept {
  const std::uint32_t end = std::uint32_t{fragment.offset} + fragment.length;
  const auto over = [&](DropReason why) {
    w.drop(m, why);
    show();
    return Whole{};
  };
  const Slot slot = find_or_open(w, limits, fragment.key);
  if (slot == DatagramTable::kNone) return over(DropReason::FragmentEvicted);
  DatagramTable::Datagram& d = table_[slot];
  if (d.given_up) return over(d.why);

  const std::uint32_t reached = d.last == DatagramTable::kNone ? 0 : table_.fragment(d.last).end();
  const bool bad_end = fragment.more ? d.end != 0 && end >= d.end
                                     : reached > end || (d.end != 0 && d.end != end) ||
                                           (d.end == 0 && reached == end);
  if (bad_end) {
    give_up(w, slot, DropReason::FragmentBadEnd);
    return over(DropReason::FragmentBadEnd);
  }
  if (!make_room(w, limits, slot)) {
    // Its own datagram has gone for others, or has become one that is given up.
    const Slot left = table_.find(fragment.key);
    return over(left == DatagramTable::kNone ? DropReason::FragmentEvicted : table_[left].why);
  }
  switch (table_.place(slot, {m, fragment.offset, fragment.length, fragment.header})) {
    case DatagramTable::Placed::Duplicate: return over(DropReason::FragmentDuplicate);
    case DatagramTable::Placed::Overlap:
      give_up(w, slot, DropReason::FragmentOverlap);
      return over(DropReason::FragmentOverlap);
    case DatagramTable::Placed::Added: break;
  }
  if (!fragment.more) d.end = static_cast<std::uint16_t>(end);
  d.ecn = static_cast<std::uint8_t>(d.ecn | 1u << fragment.ecn);
  const Whole whole = d.end != 0 && d.have == d.end ? join(w, slot) : Whole{};
  show();
  return whole;
}

/// Joins what is complete, last to first, so that each step finds the end of a short chain.
Whole Reassembler::join(core::Worker& w, Slot slot) noexcept {
  DatagramTable::Datagram& d = table_[slot];
  const unsigned ecn = d.ecn, with_ecn = ecn & ~(1u << kNotEct);
  if ((ecn & 1u << kNotEct) != 0 && with_ecn != 0) {
    drop_fragments(w, slot, DropReason::FragmentBadEcn);
    table_.close(slot);
    return {};
  }
  Whole whole{.m = nullptr,
              .header = table_.fragment(d.first).header,
              .congestion = (ecn & 1u << kCe) != 0};
  std::uint64_t joined = 0;
  bool broken = false;
  table_.take_fragments(slot, [&](const DatagramTable::Fragment& f) {
    if (f.offset != 0) core::strip_front(*f.m, f.header);
    if (whole.m != nullptr && !core::append(*f.m, *whole.m)) {
      broken = true;  // more segments than DPDK counts
      w.drop(whole.m, DropReason::FragmentNoRoom);
    } else if (whole.m != nullptr) {
      ++joined;
    }
    whole.m = f.m;
  });
  w.consumed.add(joined);
  table_.close(slot);
  if (!broken) return whole;
  w.drop(whole.m, DropReason::FragmentNoRoom);
  return {};
}

bool Reassembler::expire(core::Worker& w, DatagramTable::Family family, std::uint32_t ttl_us,
                         Expired& expired) noexcept {
  const Slot slot = table_.oldest(family);
  if (slot == DatagramTable::kNone || w.now_us - table_[slot].born_us < ttl_us) return false;
  expired = {.first = nullptr, .from = {table_[slot].key.scope, table_[slot].key.vrf}};
  table_.take_fragments(slot, [&](const DatagramTable::Fragment& f) {
    if (f.offset == 0)
      expired.first = f.m;
    else
      w.drop(f.m, DropReason::FragmentTimeout);
  });
  table_.close(slot);
  show();
  return true;
}

namespace {
/// The headers of what has been joined, and where the device's verdicts were about a part of it.
/// One segment where the first buffer has room: then no port and no cipher needs to copy again.
bool settle_front(rte_mbuf& m) noexcept {
  m.ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | core::kMarkedFlag;
  if (!core::is_chain(m)) return true;
  if (m.pkt_len - m.data_len <= core::tailroom(m) && core::linearize(m)) return true;
  return core::gather_front(m, core::kHeaderRoom);
}

// ---- IPv4 --------------------------------------------------------------------------------------
/// Why a fragment is dropped whatever else there is, if it is.
std::optional<DropReason> judge(const Ip4View& ip) noexcept {
  constexpr std::size_t kTcpPorts = 16;  // RFC 1858 section 3.2.1: up to the flags
  const std::size_t offset = ip.fragment_offset(), length = ip.payload_length();
  if (length == 0 || (ip.more_fragments() && length % 8 != 0)) return DropReason::FragmentBadLength;
  if (ip.header_len() + offset + length > kMaxLength) return DropReason::FragmentTooLong;
  if (ip.protocol() == kProtocolTcp && (offset == 8 || (offset == 0 && length < kTcpPorts)))
    return DropReason::FragmentTiny;
  return std::nullopt;
}

/// @return false, and `m` has ended, where it cannot be made an IPv4 packet.
bool finish_ip4(core::Worker& w, const Whole& whole) noexcept {
  constexpr std::size_t kTosAt = 1, kLengthAt = 2, kFlagsAt = 6, kChecksumAt = 10;
  constexpr std::uint8_t kDontFragment = 0x40;
  rte_mbuf& m = *whole.m;
  if (m.pkt_len > kMaxLength) {
    w.drop(&m, DropReason::FragmentTooLong);
    return false;
  }
  if (!settle_front(m)) {
    w.drop(&m, DropReason::FragmentNoRoom);
    return false;
  }
  const MutBytes header = core::front_bytes_mut(m).first(whole.header);
  if (whole.congestion) header[kTosAt] |= kCe;
  store_be16(header, kLengthAt, static_cast<std::uint16_t>(m.pkt_len));
  header[kFlagsAt] &= kDontFragment;
  header[kFlagsAt + 1] = 0;
  store_be16(header, kChecksumAt, 0);
  store_be16(header, kChecksumAt, internet_checksum(header));
  return true;
}
}  // namespace

void reassemble_ip4(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                    std::uint16_t vrf, core::Burst& in, core::Burst& whole) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Reassembly, in.packets());
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    if (const auto why = judge(*ip)) {
      w.drop(m, *why);
      continue;
    }
    const Arrived fragment{.key = {.src = ip->src(),
                                   .dst = ip->dst(),
                                   .id = ip->id(),
                                   .vrf = vrf,
                                   .protocol = ip->protocol()},
                           .offset = static_cast<std::uint16_t>(ip->fragment_offset()),
                           .length = ip->payload_length(),
                           .header = ip->header_len(),
                           .more = ip->more_fragments(),
                           .ecn = static_cast<std::uint8_t>(ip->tos() & 3)};
    if (const Whole done = r.add(w, limits, m, fragment); done.m != nullptr && finish_ip4(w, done))
      whole.push(done.m);
  }
}

// ---- IPv6 --------------------------------------------------------------------------------------
namespace {
using Place = Ip6FragmentPlace;

/// Whether the first fragment holds every header up to the upper layer's (RFC 7112 section 5).
bool holds_all_headers(const Ip6View& ip) noexcept {
  const auto upper = glance_at_upper(ip);
  if (!upper) return false;
  std::size_t least = 0;
  switch (upper->protocol) {
    case kProtocolTcp: least = 20; break;
    case kProtocolUdp:
    case kProtocolIcmp6:
    case kProtocolEsp: least = 8; break;
    default: break;
  }
  return upper->at + least <= ip.packet().size();
}

/// Why a fragment ends whatever else there is, if it does, and what its source is told.
std::optional<Ip6Refusal> judge(const Ip6View& ip, const Ip6FragmentView& f, std::size_t at,
                                std::size_t length) noexcept {
  constexpr std::uint8_t kIncompleteChain = 3;  // RFC 7112 section 5
  constexpr std::uint32_t kPayloadLengthAt = 4;
  if (length == 0) return Ip6Refusal{.reason = DropReason::FragmentBadLength};
  if (f.more() && length % 8 != 0)
    return Ip6Refusal{DropReason::FragmentBadLength, Icmp6View::kBadField, kPayloadLengthAt};
  if (at - Ip6View::kHeaderLen + f.offset() + length > kMaxLength)
    return Ip6Refusal{DropReason::FragmentTooLong, Icmp6View::kBadField,
                      static_cast<std::uint32_t>(at + 2)};
  if (f.offset() == 0 && !holds_all_headers(ip))
    return Ip6Refusal{DropReason::FragmentTiny, kIncompleteChain, 0};
  return std::nullopt;
}

/// Takes the Fragment header at `at` out: what is in front of it moves up to what is behind it.
/// @return false, and `m` has ended, where it cannot be made an IPv6 packet.
bool finish_ip6(core::Worker& w, rte_mbuf& m, std::size_t at, bool congestion) noexcept {
  constexpr std::size_t kPayloadLengthAt = 4, kLen = Ip6FragmentView::kLen;
  const MutBytes packet = core::front_bytes_mut(m);
  std::size_t named_at = Ip6View::kNextHeaderAt;
  for (std::size_t i = Ip6View::kHeaderLen; i < at; i += (std::size_t{packet[i + 1]} + 1) * 8)
    named_at = i;
  packet[named_at] = packet[at];
  std::memmove(packet.data() + kLen, packet.data(), at);
  core::strip_front(m, kLen);
  if (m.pkt_len > Ip6View::kHeaderLen + kMaxLength) {
    w.drop(&m, DropReason::FragmentTooLong);
    return false;
  }
  if (!settle_front(m)) {
    w.drop(&m, DropReason::FragmentNoRoom);
    return false;
  }
  const MutBytes header = core::front_bytes_mut(m);
  if (congestion) header[1] |= kCe << 4;
  store_be16(header, kPayloadLengthAt, static_cast<std::uint16_t>(m.pkt_len - Ip6View::kHeaderLen));
  return true;
}

Arrived arrived(const Ip6View& ip, const Ip6FragmentView& f, const Place& place,
                std::uint16_t length) noexcept {
  const core::IpAddress src = ip.src(), dst = ip.dst();
  const bool of_link = is_link_scoped(src) || is_link_scoped(dst);
  return {.key = {.src = src,
                  .dst = dst,
                  .id = f.id(),
                  .scope = of_link ? place.link : core::kNoInterface,
                  .vrf = place.vrf},
          .offset = static_cast<std::uint16_t>(f.offset()),
          .length = length,
          .header = static_cast<std::uint16_t>(place.at + Ip6FragmentView::kLen),
          .more = f.more(),
          .ecn = static_cast<std::uint8_t>(ip.traffic_class() & 3)};
}
}  // namespace

void reassemble_ip6(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                    core::NotedBurst<Place>& in, core::Burst& whole,
                    core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Reassembly, in.packets());
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const Place place = in.notes()[i];
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    const std::size_t seen = ip ? ip->packet().size() : 0;
    const auto f = Ip6FragmentView::parse(
        ip ? ip->packet().subspan(std::min<std::size_t>(place.at, seen)) : Bytes{});
    if (!f) {
      w.drop(m, f.error());
      continue;
    }
    if (f->is_atomic()) {
      if (finish_ip6(w, *m, place.at, /*congestion=*/false)) whole.push(m);
      continue;
    }
    const std::size_t length = ip->total_length() - place.at - Ip6FragmentView::kLen;
    if (const auto no = judge(*ip, *f, place.at, length)) {
      if (no->silent())
        w.drop(m, no->reason);
      else
        refused.push(m, {no->reason, Icmp6View::kParameterProblem, no->code, no->pointer});
      continue;
    }
    const Whole done =
        r.add(w, limits, m, arrived(*ip, *f, place, static_cast<std::uint16_t>(length)));
    if (done.m != nullptr &&
        finish_ip6(w, *done.m, done.header - Ip6FragmentView::kLen, done.congestion))
      whole.push(done.m);
  }
}

void reassembly_expire(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                       core::NotedBurst<LateDatagram>& late4,
                       core::NotedBurst<LateDatagram>& late6) noexcept {
  constexpr int kMost = 32;  // datagrams of a family a call
  Reassembler::Expired e;
  for (int n = 0; n < kMost && r.expire(w, DatagramTable::kIp4, limits.ip4_ttl_us, e); ++n)
    if (e.first != nullptr) late4.push(e.first, e.from);
  for (int n = 0; n < kMost && r.expire(w, DatagramTable::kIp6, limits.ip6_ttl_us, e); ++n)
    if (e.first != nullptr) late6.push(e.first, e.from);
}
}  // namespace proto
