// SPDX-License-Identifier: BSD-3-Clause
#include "proto/icmp6_error.hh"

#include <algorithm>

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
namespace {
constexpr std::size_t kOuterLen = Ip6View::kHeaderLen + Icmp6View::kHeaderLen;
constexpr std::size_t kMaxErrorLen = 1280;  // the minimum MTU, RFC 4443 section 2.4 (c)

/// Whether a later fragment, whose Fragment header names that protocol, may be of an ICMPv6
/// message: extension headers in the first one hide what is behind them.
bool may_be_icmp6(std::uint8_t protocol) noexcept {
  return protocol == kProtocolIcmp6 || protocol == kProtocolAh || extension::is_extension(protocol);
}

/// Whether RFC 4443 section 2.4 (e) allows an error about this packet.
bool may_tell(const Ip6View& ip, const Ip6Cause& cause) noexcept {
  const bool although_to_group =
      cause.type == Icmp6View::kPacketTooBig ||
      (cause.type == Icmp6View::kParameterProblem && cause.code == Icmp6View::kUnknownOption);
  if (is_ip6_multicast(ip.dst()) && !although_to_group) return false;
  const core::IpAddress src = ip.src();
  if (src == core::IpAddress{} || is_ip6_multicast(src)) return false;
  const auto upper = glance_at_upper(ip);
  if (!upper) return false;
  if (upper->later_fragment) return !may_be_icmp6(upper->protocol);
  if (upper->protocol != kProtocolIcmp6) return true;
  if (upper->at == ip.packet().size()) return false;  // too short to tell
  const std::uint8_t type = ip.packet()[upper->at];
  return type >= 128 && type != Icmp6View::kRedirect;
}

/// The address of ours that the packet was for, or :: (RFC 4443 section 2.2).
core::IpAddress source_for(const Ip6Config& config, const Ip6View& ip,
                           const Ip6Arrival& arrival) noexcept {
  const core::IpAddress dst = ip.dst();
  if (is_ip6_multicast(dst)) return {};
  const NextHop& hop =
      (*config.next_hops)[config.lookup(arrival.vrf, scoped(dst, arrival.interface))];
  const bool ours = hop.kind.load(std::memory_order_acquire) == NextHopKind::Local;
  return ours ? dst : core::IpAddress{};
}

/// The error about `m`, or null where no buffer is free.
rte_mbuf* make_error(core::Worker& w, const Ip6Config& config, const Ip6Arrival& arrival,
                     const rte_mbuf& original, const Ip6View& ip, const Ip6Cause& cause) noexcept {
  rte_mbuf* m = w.pool != nullptr ? rte_pktmbuf_alloc(w.pool) : nullptr;
  if (m == nullptr) return nullptr;
  const std::size_t quoted = std::min({std::size_t{original.pkt_len}, kMaxErrorLen - kOuterLen,
                                       std::size_t{core::tailroom(*m)} - kOuterLen});
  core::grow_back(*m, static_cast<std::uint16_t>(kOuterLen + quoted));
  const MutBytes packet = core::front_bytes_mut(*m);
  (void)core::copy_bytes(original, 0, packet.subspan(kOuterLen));
  const Ip6Fields fields{.next_header = kProtocolIcmp6,
                         .hop_limit = 0,
                         .src = source_for(config, ip, arrival),
                         .dst = ip.src()};
  const MutBytes message = packet.subspan(Ip6View::kHeaderLen);
  emit(fields, packet);
  emit(Icmp6Fields{cause.type, cause.code, cause.value}, message,
       pseudo_header_sum(fields.src, fields.dst, message.size(), kProtocolIcmp6));
  return m;
}
}  // namespace

void icmp6_error(core::Worker& w, IpShard& shard, const Ip6Config& config,
                 const Ip6Arrival& arrival, core::NotedBurst<Ip6Cause>& in,
                 ScopedBurst& out) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Icmp6Error, in.packets());
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const Ip6Cause& cause = in.notes()[i];
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    if (ip && may_tell(*ip, cause) &&
        shard.icmp6_errors.take(w.now_us, config.sysctl.icmp_errors_per_s)) {
      if (rte_mbuf* error = make_error(w, config, arrival, *m, *ip, cause)) {
        w.originated.add(1);
        out.push(error, scoped(ip->src(), arrival.interface));
      }
    }
    w.drop(m, cause.reason);
  }
}
}  // namespace proto
