// SPDX-License-Identifier: BSD-3-Clause
// Reassembly with its state: fragments of a few datagrams of both families, as the input says, with
// pauses between them. Laws: every packet ends once; nothing is kept beyond the limits; what
// becomes whole is a packet whose lengths hold, made of bytes that came in; nothing leaks.
#include <algorithm>

#include "core/mbuf.hh"
#include "proto/reassembly.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6_extension.hh"
#include "tests/fuzz/fuzz.hh"
#include "tests/support/eal.hh"
#include "tests/support/packet_pool.hh"

namespace {
using core::DropReason;

constexpr std::size_t kMaxFragments = 200;
constexpr std::uint8_t kMark = 0xa5;  ///< of which every payload consists

struct Reader {
  fuzz::Input in;
  std::uint8_t byte() {
    if (in.empty()) return 0;
    const std::uint8_t b = in[0];
    in = in.subspan(1);
    return b;
  }
};

struct Lab {
  test::PacketPool pool{1023};
  core::Worker w{0, 4, pool.get()};
  proto::Reassembler r{42};
  proto::ReassemblyLimits limits{.ip4_datagrams = 16,
                                 .ip6_datagrams = 16,
                                 .fragments = 64,
                                 .per_datagram = 24,
                                 .ip4_ttl_us = 3'000'000,
                                 .ip6_ttl_us = 6'000'000};
  std::uint64_t put = 0, whole = 0, told = 0;

  [[nodiscard]] std::uint64_t ended() const {
    std::uint64_t n = w.consumed.read() + whole;
    for (const core::Counter& c : w.drops) n += c.read();
    return n;
  }
};
Lab& lab() {
  static Lab one;
  return one;
}

test::Packet payload(std::size_t n) {
  return test::Packet(n, kMark);
}

/// An IPv4 fragment; its fields are small, so that they meet those of others.
test::Packet ip4_fragment(Reader& in) {
  const std::uint8_t who = in.byte(), how = in.byte(), at = in.byte(), length = in.byte();
  test::Ip4 f{.tos = static_cast<std::uint8_t>(how & 3), .id = static_cast<std::uint16_t>(who & 3)};
  f.src += who >> 4;
  f.more_fragments = (how & 4) != 0;
  f.fragment_offset = static_cast<std::uint16_t>(((how & 8) != 0 ? 65'024 : 0) + (at & 0x3f) * 8);
  f.protocol = (how & 16) != 0 ? 6 : 17;
  if ((how & 32) != 0) f.options = test::Packet(length % 41, 1);
  const std::size_t n = f.more_fragments && (how & 64) == 0 ? (length & 0x1f) * 8u : length * 2u;
  return test::ip4(f, payload(n));
}

/// An IPv6 fragment, at times with hop-by-hop options in front.
struct Made6 {
  test::Packet packet;
  proto::Ip6FragmentPlace place;
};
Made6 ip6_fragment(Reader& in) {
  const std::uint8_t who = in.byte(), how = in.byte(), at = in.byte(), length = in.byte();
  const bool options = (how & 32) != 0, more = (how & 4) != 0;
  const std::size_t n = more && (how & 64) == 0 ? (length & 0x1f) * 8u : length * 2u;
  const std::size_t offset = ((how & 8) != 0 ? 65'024u : 0u) + (at & 0x3fu) * 8;
  test::Packet p(40 + (options ? 8 : 0) + 8);
  const std::size_t h = p.size() - 8;
  p[0] = 0x60;
  p[1] = static_cast<std::uint8_t>((how & 3) << 4);
  p[6] = options ? 0 : 44;
  p[7] = 64;
  p[8] = (who & 8) != 0 ? 0xfe : 0x20;
  p[9] = (who & 8) != 0 ? 0x80 : 0x01;
  p[23] = static_cast<std::uint8_t>(1 + (who >> 4));
  p[24] = 0x20;
  p[39] = 2;
  if (options) p[40] = 44, p[42] = 1, p[43] = 4;
  static constexpr std::array<std::uint8_t, 4> kUppers{17, 59, 6, 60};
  p[h] = kUppers[at >> 6];
  proto::store_be16(p, h + 2, static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
  proto::store_be32(p, h + 4, who & 3);
  const test::Packet data = payload(n);
  p.insert(p.end(), data.begin(), data.end());
  proto::store_be16(p, 4, static_cast<std::uint16_t>(p.size() - 40));
  return {p, {static_cast<core::InterfaceId>(who >> 2 & 1), static_cast<std::uint16_t>(h)}};
}

/// What came out is a packet, and no fragment.
void check_whole(Lab& l, rte_mbuf* m) {
  ++l.whole;
  fuzz::require(core::headers_in_front(*m), "the headers are in the first segment");
  const test::Packet p = test::bytes_of(m);
  fuzz::require(p.size() == m->pkt_len, "the length is that of all segments");
  std::size_t data_at = 0;
  if (p[0] >> 4 == 4) {
    const auto ip = proto::Ip4View::parse(p);
    fuzz::require(static_cast<bool>(ip), "it is an IPv4 packet");
    fuzz::require(ip->verify_checksum(), "its checksum is right");
    fuzz::require(!ip->is_fragment(), "it is no fragment");
    fuzz::require(ip->total_length() == p.size(), "Total Length is right");
    data_at = ip->header_len();
  } else {
    const auto ip = proto::Ip6View::parse(p);
    fuzz::require(static_cast<bool>(ip), "it is an IPv6 packet");
    fuzz::require(ip->total_length() == p.size(), "Payload Length is right");
    data_at = 40 + (ip->next_header() == 0 ? 8 : 0);
    fuzz::require(p[data_at == 48 ? 40 : 6] != 44, "the Fragment header is gone");
  }
  for (std::size_t i = data_at; i < p.size(); ++i)
    fuzz::require(p[i] == kMark, "its payload is what came in");
  rte_pktmbuf_free(m);
}

rte_mbuf* make(Lab& l, const test::Packet& p, std::uint8_t how) {
  ++l.put;
  rte_mbuf* m =
      (how & 0x80) != 0 && p.size() > 128 ? l.pool.try_make_chained(p, 128, 100) : l.pool.make(p);
  fuzz::require(m != nullptr, "buffers come back");
  return m;
}

void arrive(Lab& l, Reader& in, std::uint8_t how) {
  core::Burst whole;
  if ((how & 1) == 0) {
    core::Burst fragments;
    fragments.push(make(l, ip4_fragment(in), how));
    proto::reassemble_ip4(l.w, l.r, l.limits, 0, fragments, whole);
  } else {
    core::NotedBurst<proto::Ip6FragmentPlace> fragments;
    core::NotedBurst<proto::Ip6Cause> refused;
    const Made6 made = ip6_fragment(in);
    fragments.push(make(l, made.packet, how), made.place);
    proto::reassemble_ip6(l.w, l.r, l.limits, fragments, whole, refused);
    for (rte_mbuf* m : refused.take()) l.w.drop(m, refused.notes()[0].reason);
  }
  for (rte_mbuf* m : whole.take()) check_whole(l, m);
}

void expire(Lab& l) {
  core::NotedBurst<proto::LateDatagram> late4, late6;
  proto::reassembly_expire(l.w, l.r, l.limits, late4, late6);
  for (rte_mbuf* m : late4.take()) l.w.drop(m, DropReason::FragmentTimeout);
  for (rte_mbuf* m : late6.take()) l.w.drop(m, DropReason::FragmentTimeout);
}
}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  test::eal_up();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Lab& l = lab();
  Reader in{{data, size}};
  for (std::size_t n = 0; n < kMaxFragments && !in.in.empty(); ++n) {
    const std::uint8_t how = in.byte();
    l.w.now_us += (how >> 1 & 0xf) * std::uint64_t{100'000};
    if ((how & 0x60) == 0x60)
      expire(l);
    else
      arrive(l, in, how);
    fuzz::require(l.r.held() <= l.limits.fragments, "no more is kept than the limit");
    fuzz::require(l.ended() + l.r.held() == l.put, "every packet ends once");
  }
  l.w.now_us += 7'000'000;
  while (!l.r.empty()) expire(l);
  fuzz::require(l.r.held() == 0 && l.pool.in_use() == 0, "nothing leaks");
  return 0;
}
