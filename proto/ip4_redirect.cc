// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_redirect.hh"

#include <algorithm>

#include "core/mbuf.hh"
#include "proto/icmp4_error.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
/// The subnet of ours, on the link that both are on, in which a host and its better gateway are;
/// null: there is none.
const Ip4Prefix* common_subnet(const Ip4Config& config, core::InterfaceId link, std::uint32_t host,
                               std::uint32_t gateway) noexcept {
  for (const Ip4Prefix& ours : config.addresses[link])
    if (ours.contains(host) && ours.contains(gateway)) return &ours;
  return nullptr;
}
}  // namespace

void ip4_redirect(core::Worker& w, IpShard& shard, const Ip4Config& config,
                  const core::Interface& in, const RoutedBurst& forward,
                  core::Burst& own) noexcept {
  const auto packets = forward.packets();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const NextHop& hop = *forward.notes()[i];
    if (hop.interface != in.id) [[likely]]
      continue;
    const Bytes original = core::front_bytes(*packets[i]);
    const auto ip = Ip4View::parse(original, packets[i]->pkt_len);
    // What ip4_forward refuses has an error of its own.
    if (!ip || ip->ttl() <= 1 || packets[i]->pkt_len > hop.mtu || !may_tell(*ip)) continue;
    const std::uint32_t gateway = hop.gateway.ip4();
    const Ip4Prefix* subnet = common_subnet(config, in.id, ip->src(), gateway);
    if (subnet == nullptr || ip->src() == gateway ||
        !shard.icmp4_errors.take(w.now_us, config.sysctl.icmp_errors_per_s))
      continue;
    const Icmp4Fields message{.type = Icmp4View::kRedirect,
                              .code = Icmp4View::kRedirectHost,
                              .word1 = static_cast<std::uint16_t>(gateway >> 16),
                              .word2 = static_cast<std::uint16_t>(gateway)};
    // From the address that the host knows us by, or it would not listen (RFC 1122
    // section 3.2.2.2).
    if (rte_mbuf* m = quote(w, shard, config, original,
                            {.message = message, .src = subnet->address, .dst = ip->src()})) {
      w.originated.add(1);
      own.push(m);
    }
  }
}
}  // namespace proto
