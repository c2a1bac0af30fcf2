// SPDX-License-Identifier: BSD-3-Clause
#include "proto/icmp4_error.hh"

#include <algorithm>

#include "core/mbuf.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
constexpr std::size_t kOuterLen = Ip4View::kMinHeaderLen + Icmp4View::kHeaderLen;
constexpr std::size_t kMaxErrorLen = 576;        // RFC 1812 section 4.3.2.3
constexpr std::uint8_t kInternetControl = 0xc0;  // precedence 6, RFC 1812 section 4.3.2.5

/// Whether an address may be that of one host: not 0/8, nor a group, nor reserved.
bool is_host(std::uint32_t a) noexcept {
  return a >> 24 != 0 && a < 0xe0000000;
}

}  // namespace

bool may_tell(const Ip4View& ip) noexcept {
  if (ip.fragment_offset() != 0 || !is_host(ip.src()) || ip.dst() >= 0xe0000000) return false;
  if (ip.protocol() != kProtocolIcmp) return true;
  const auto icmp = Icmp4View::parse(ip.payload());
  return icmp && !icmp->is_error();
}

rte_mbuf* quote(core::Worker& w, IpShard& shard, const Ip4Config& config, Bytes original,
                const Icmp4Notice& notice) noexcept {
  rte_mbuf* m = w.pool != nullptr ? rte_pktmbuf_alloc(w.pool) : nullptr;
  if (m == nullptr) return nullptr;
  const std::size_t quoted = std::min(original.size(), kMaxErrorLen - kOuterLen);
  core::grow_back(*m, static_cast<std::uint16_t>(kOuterLen + quoted));
  const MutBytes packet = core::front_bytes_mut(*m);
  copy(original.first(quoted), packet.subspan(kOuterLen));
  emit(notice.message, packet.subspan(Ip4View::kMinHeaderLen));
  emit(Ip4Fields{.tos = kInternetControl,
                 .id = shard.ip_id++,
                 .ttl = config.sysctl.ttl,
                 .protocol = kProtocolIcmp,
                 .src = notice.src,
                 .dst = notice.dst},
       packet);
  return m;
}

namespace {
Icmp4Fields message_of(const Icmp4Cause& cause) noexcept {
  Icmp4Fields fields{.type = cause.type, .code = cause.code};
  if (cause.type == Icmp4View::kParameterProblem)
    fields.word1 = static_cast<std::uint16_t>(cause.mtu << 8);
  else
    fields.word2 = cause.mtu;
  return fields;
}
}  // namespace

void icmp4_error(core::Worker& w, IpShard& shard, const Ip4Config& config,
                 core::NotedBurst<Icmp4Cause>& in, core::Burst& out) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Icmp4Error, in.packets());
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const Icmp4Cause& cause = in.notes()[i];
    const Bytes original = core::front_bytes(*m);
    const auto ip = Ip4View::parse(original, m->pkt_len);
    if (ip && may_tell(*ip) && shard.icmp4_errors.take(w.now_us, config.sysctl.icmp_errors_per_s)) {
      if (rte_mbuf* error = quote(w, shard, config, original,
                                  {.message = message_of(cause), .src = 0, .dst = ip->src()})) {
        w.originated.add(1);
        out.push(error);
      }
    }
    w.drop(m, cause.reason);
  }
}
}  // namespace proto
