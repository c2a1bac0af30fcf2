// SPDX-License-Identifier: BSD-3-Clause
#include "proto/nd_redirect.hh"

#include <algorithm>
#include <optional>

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/nd.hh"

namespace proto {
namespace {
constexpr std::size_t kMaxLen = 1280;  // the minimum MTU, RFC 4861 section 4.5

/// Who is told of what.
struct Hint {
  IpAddress us;           ///< link-local
  const NextHop* asker;   ///< the way back to the source
  const NextHop* better;  ///< the way on
  IpAddress target;       ///< the address of `better`
};

/// Our link-local address there; "::" where it has none yet.
IpAddress link_local_of(const Ip6Config& config, core::InterfaceId link) noexcept {
  for (const Ip6InterfaceAddress& a : config.addresses[link])
    if (!a.tentative && is_link_local(a.prefix.address)) return a.prefix.address;
  return {};
}

/// What the source of the packet should know, if anything.
std::optional<Hint> judge(const Ip6Config& config, const core::Interface& in, const rte_mbuf& m,
                          const NextHop& better) noexcept {
  const Bytes header = core::front_bytes(m);  // 40 bytes at least: ip6_input saw to it
  // What ip6_forward refuses has an error of its own.
  if (header[Ip6View::kHopLimitAt] <= 1 || m.pkt_len > better.mtu) return std::nullopt;
  const IpAddress src = load_ip6(header, Ip6View::kSourceAt);
  const IpAddress dst = load_ip6(header, Ip6View::kDestinationAt);
  const bool to_neighbor = better.gateway == dst;
  if (!to_neighbor && !is_link_local(better.gateway)) return std::nullopt;
  const NextHop& asker = (*config.next_hops)[config.lookup(in.vrf, src)];
  const bool neighbor = asker.kind.load(std::memory_order_acquire) == NextHopKind::Reachable &&
                        asker.interface == in.id && asker.gateway == src;
  if (!neighbor || src == dst) return std::nullopt;
  const IpAddress us = link_local_of(config, in.id);
  if (us == IpAddress{}) return std::nullopt;
  return Hint{us, &asker, &better, to_neighbor ? dst : unscoped(better.gateway)};
}

/// The message about `original`, or null where no buffer is free.
rte_mbuf* make_redirect(core::Worker& w, const rte_mbuf& original, const Hint& hint) noexcept {
  constexpr std::size_t kHeaders =
      Ip6View::kHeaderLen + nd::RedirectView::kFixedLen + nd::Options::kMacLen + 8;
  rte_mbuf* m = w.pool != nullptr ? rte_pktmbuf_alloc(w.pool) : nullptr;
  if (m == nullptr) return nullptr;
  const std::size_t room = std::min<std::size_t>(kMaxLen, core::tailroom(*m)) - kHeaders;
  const Bytes front = core::front_bytes(original);
  const Bytes better{hint.better->ether};
  const nd::Redirect message{
      .target = hint.target,
      .destination = load_ip6(front, Ip6View::kDestinationAt),
      .target_mac = load_mac(better, better.size() - hint.better->ether_length),
      .redirected = front.first(std::min(front.size(), room))};
  core::grow_back(*m, static_cast<std::uint16_t>(Ip6View::kHeaderLen + nd::length(message)));
  const MutBytes packet = core::front_bytes_mut(*m);
  const std::size_t length = nd::emit(message, packet.subspan(Ip6View::kHeaderLen));
  core::keep_front(*m, static_cast<std::uint32_t>(Ip6View::kHeaderLen + length));
  nd::finish({.src = hint.us, .dst = load_ip6(front, Ip6View::kSourceAt)},
             core::front_bytes_mut(*m));
  return m;
}
}  // namespace

void nd_redirect(core::Worker& w, IpShard& shard, const Ip6Config& config,
                 const core::Interface& in, const RoutedBurst& forward, RoutedBurst& out) noexcept {
  if (!config.router[in.id]) return;
  const auto packets = forward.packets();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const NextHop& better = *forward.notes()[i];
    if (better.interface != in.id) [[likely]]
      continue;
    const auto hint = judge(config, in, *packets[i], better);
    if (!hint || !shard.icmp6_errors.take(w.now_us, config.sysctl.icmp_errors_per_s)) continue;
    if (rte_mbuf* m = make_redirect(w, *packets[i], *hint)) {
      w.originated.add(1);
      out.push(m, hint->asker);
    }
  }
}
}  // namespace proto
