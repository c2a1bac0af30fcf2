// SPDX-License-Identifier: BSD-3-Clause
// The whole way of a packet: up to eight frames, as they come or made to pass the checks in front
// of what they are meant for, through a gateway with routes, neighbours and a tunnel.
//
// The input is a list of frames, each
//   1 byte   what to make of the content (kind), on which port, how often, whether to go on at
//   once,
//            whether it arrives in several segments
//   1 byte   where there are several: how long they are
//   1 byte   by how much the clock advances before
//   1 byte   length of the content
//   content
#include <algorithm>
#include <string>

#include "core/log.hh"
#include "proto/wire/arp.hh"
#include "proto/wire/esp.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6_extension.hh"
#include "tests/fuzz/fuzz.hh"
#include "tests/fuzz/gateway.hh"
#include "tests/support/eal.hh"

namespace {
using fuzz::Gateway;
using fuzz::Input;
using test::Packet;

constexpr std::size_t kMaxFrames = 8;

enum class Kind : std::uint8_t {
  Raw,          ///< the content is the frame
  Ip4,          ///< content behind an Ethernet header for us; IPv6 if it begins with 6
  GoodIp4,      ///< the same, length and checksum made right
  LongIp4,      ///< the same, zeros behind it up to 1500 bytes
  Arp,          ///< content behind a broadcast Ethernet header
  SealedPlain,  ///< authentic ESP, content is sequence number, payload and trailer
  SealedIp4,    ///< authentic ESP, content is sequence number and an inner packet made right
  ForgedEsp,    ///< ESP for our SPI, content is the rest of it
};

class Reader {
public:
  explicit Reader(Input in) : in_{in} {}
  [[nodiscard]] bool empty() const { return in_.empty(); }
  std::uint8_t byte() { return in_.empty() ? std::uint8_t{0} : take(1)[0]; }
  Input take(std::size_t n) {
    const Input taken = in_.first(std::min(n, in_.size()));
    in_ = in_.subspan(taken.size());
    return taken;
  }

private:
  Input in_;
};

/// Lets the header pass ip4_input where only Total Length and checksum stand in the way.
void make_right(Packet& ip) {
  if (ip.size() < 20) ip.resize(20);
  ip[0] = static_cast<std::uint8_t>(0x40 | (ip[0] & 0xf));
  const std::size_t header = std::clamp<std::size_t>(ip[0] & 0xfu, 5, 15) * 4;
  if (ip.size() < header) ip.resize(header);
  ip[0] = static_cast<std::uint8_t>(0x40 | header / 4);
  proto::store_be16(ip, 2, static_cast<std::uint16_t>(ip.size()));
  proto::store_be16(ip, 10, 0);
  proto::store_be16(ip, 10, test::reference_checksum(std::span{ip}.first(header)));
}

bool is_ip6(const Packet& p) {
  return !p.empty() && p[0] >> 4 == 6;
}

/// Payload Length, and the checksum of what is ICMPv6.
void make_right6(Packet& p) {
  if (p.size() < proto::Ip6View::kHeaderLen) p.resize(proto::Ip6View::kHeaderLen);
  proto::store_be16(p, 4, static_cast<std::uint16_t>(p.size() - proto::Ip6View::kHeaderLen));
  const auto ip = proto::Ip6View::parse(p);
  const auto upper = proto::glance_at_upper(*ip);
  if (!upper || upper->later_fragment || upper->protocol != proto::kProtocolIcmp6) return;
  const auto icmp = proto::Icmp6View::parse(ip->packet().subspan(upper->at));
  if (!icmp) return;
  const std::size_t length = p.size() - upper->at;
  const std::uint64_t pseudo =
      proto::pseudo_header_sum(ip->src(), ip->dst(), length, proto::kProtocolIcmp6);
  proto::emit(proto::Icmp6Fields{icmp->type(), icmp->code(), icmp->word()},
              std::span{p}.subspan(upper->at), pseudo);
}

/// To the port, or where it is to a group to the group's frames (RFC 2464 section 7).
Packet frame6(const core::MacAddress& port_mac, const Packet& p) {
  const bool group = p.size() >= proto::Ip6View::kHeaderLen && p[24] == 0xff;
  const core::MacAddress dst =
      group ? core::MacAddress{0x33, 0x33, p[36], p[37], p[38], p[39]} : port_mac;
  return test::ether({.dst = dst, .type = proto::kEtherTypeIp6}, p);
}

Packet sealed(Gateway& g, Kind kind, Reader content) {
  const std::uint32_t sequence = content.byte();
  const Input rest = content.take(255);
  Packet plain{rest.begin(), rest.end()};
  if (kind == Kind::SealedIp4) {
    make_right(plain);
    const std::size_t payload = plain.size();
    plain.resize(payload + proto::esp_padding(payload) + 2);
    proto::emit_esp_trailer(std::span{plain}.subspan(payload), proto::kProtocolIp4);
  }
  return g.seal(sequence, plain);
}

Packet forged(Input content) {
  Packet esp(4);
  proto::store_be32(esp, 0, Gateway::kInboundSpi);
  esp.insert(esp.end(), content.begin(), content.end());
  return test::ip4({.protocol = 50, .src = Gateway::kPeerIp, .dst = Gateway::kWanIp}, esp);
}

Packet frame(Gateway& g, Kind kind, const core::MacAddress& port_mac, Input content) {
  Packet p{content.begin(), content.end()};
  switch (kind) {
    case Kind::Raw: return p;
    case Kind::Arp:
      return test::ether({.dst = core::kBroadcastMac, .src = test::mac(7), .type = 0x0806}, p);
    case Kind::LongIp4: p.resize(Gateway::kLanMtu); [[fallthrough]];
    case Kind::GoodIp4: is_ip6(p) ? make_right6(p) : make_right(p); break;
    case Kind::SealedPlain:
    case Kind::SealedIp4: p = sealed(g, kind, Reader{content}); break;
    case Kind::ForgedEsp: p = forged(content); break;
    case Kind::Ip4: break;
  }
  return is_ip6(p) ? frame6(port_mac, p) : test::ether({.dst = port_mac}, p);
}

/// @param cut  0: one segment; else three bits for the first, five for the others.
void arrive(test::MemoryPort& port, const Packet& p, std::uint8_t cut) {
  static constexpr std::array<std::size_t, 8> kFirst{1, 14, 60, 127, 128, 129, 400, 1000};
  if (cut == 0)
    port.push(p);
  else
    port.push_chained(p, kFirst[cut & 7], 64 + std::size_t{cut} / 8 * 32);
}

void check_sent6(const proto::EtherView& ether, std::size_t frame) {
  const auto ip = proto::Ip6View::parse(ether.payload());
  fuzz::require(static_cast<bool>(ip), "IPv6 leaves with its lengths right");
  fuzz::require(ip->hop_limit() > 0, "no packet leaves with hop limit 0");
  fuzz::require(ip->total_length() + 14 == frame, "frames end with the packet");
  const auto link_local = [](const core::IpAddress& a) {
    return a.bytes()[0] == 0xfe && (a.bytes()[1] & 0xc0) == 0x80;
  };
  for (const core::IpAddress& a : {ip->src(), ip->dst()})
    fuzz::require(!link_local(a) || (a.bytes()[2] == 0 && a.bytes()[3] == 0),
                  "no scope leaves with a packet");
}

/// Whatever came in, what goes out is a whole frame of ours with a right header.
void check_sent(const std::vector<Packet>& frames, const core::MacAddress& mac, std::size_t mtu,
                bool outside) {
  for (const Packet& p : frames) {
    const auto ether = proto::EtherView::parse(p);
    fuzz::require(ether && ether->src() == mac, "frames carry our address");
    fuzz::require(p.size() <= mtu + 14, "frames keep to the MTU");
    if (ether->type() == proto::kEtherTypeArp) {
      const auto arp = proto::ArpView::parse(ether->payload());
      fuzz::require(arp && arp->sender_mac() == mac, "ARP speaks for us");
      continue;
    }
    if (ether->type() == proto::kEtherTypeIp6) {
      check_sent6(*ether, p.size());
      continue;
    }
    const auto ip = proto::Ip4View::parse(ether->payload());
    fuzz::require(ether->type() == proto::kEtherTypeIp4 && ip, "frames are ARP, IPv4 or IPv6");
    fuzz::require(ip->verify_checksum(), "headers carry a right checksum");
    fuzz::require(ip->ttl() > 0, "no packet leaves with TTL 0");
    fuzz::require(std::size_t{ip->total_length()} + 14 == p.size(), "frames end with the packet");
    const bool protected_net = ip->dst() >> 16 == 0x0a02;  // 10.2.0.0/16, behind the tunnel
    fuzz::require(!outside || !protected_net, "no inner packet leaves unprotected");
  }
}
}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  core::log::set_level(core::log::Level::Error);
  test::eal_up();
  fuzz::gateway().configure();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::uint64_t now_us = 1'000'000;
  Gateway& g = fuzz::gateway();
  Reader in{{data, size}};
  bool authentic = false;
  for (std::size_t n = 0; n < kMaxFrames && !in.empty(); ++n) {
    const std::uint8_t how = in.byte();
    const std::uint8_t cut = (how & 0x80) != 0 ? in.byte() : std::uint8_t{0};
    now_us += std::uint64_t{in.byte()} * 20'000;
    const Input content = in.take(in.byte());
    const Kind kind{static_cast<std::uint8_t>(how & 7)};
    const bool on_wan = (how & 8) != 0;
    authentic |= kind == Kind::SealedPlain || kind == Kind::SealedIp4;
    const Packet p = frame(g, kind, on_wan ? Gateway::kWanMac : Gateway::kLanMac, content);
    static constexpr std::array kRepeats{1, 2, 17, 64};
    for (int i = 0; i < kRepeats[how >> 4 & 3]; ++i) arrive(on_wan ? g.wan : g.lan, p, cut);
    if ((how & 0x40) != 0) g.iterate(now_us);
  }
  g.settle(now_us, 1);
  fuzz::require(g.wan.chains_sent() == 0, "a port gets what it can send");
  check_sent(g.lan.take_sent(), Gateway::kLanMac, Gateway::kLanMtu, false);
  check_sent(g.wan.take_sent(), Gateway::kWanMac, Gateway::kWanMtu, true);
  fuzz::require(g.begun() == g.ended(), "every packet ends once");
  if (authentic) g.renew_inbound_sa();
  return 0;
}
