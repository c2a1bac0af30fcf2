// SPDX-License-Identifier: BSD-3-Clause
#include "proto/loopback.hh"

#include "core/inet6.hh"
#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
bool counts(const core::Worker& w, const Loopback& loopback) noexcept {
  return loopback.interface < w.interface.size();
}
}  // namespace

void loop_output(core::Worker& w, const Loopback& loopback, std::uint16_t vrf, LoopQueue& queue,
                 core::NotedBurst<core::InterfaceId>& in) noexcept {
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const core::InterfaceId link =
        in.notes()[i] != core::kNoInterface ? in.notes()[i] : loopback.interface;
    // What the device said was of what it answers; what stays says whose the buffer is, and who
    // watches.
    m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | core::kMarkedFlag;
    const std::uint32_t bytes = m->pkt_len;
    if (!queue.push({m, link, vrf}))
      w.drop(m, DropReason::TxQueueFull);
    else if (counts(w, loopback))
      w.interface[loopback.interface].tx.add(1, bytes);
  }
}

std::uint32_t loop_input(core::Worker& w, const Loopback& loopback, LoopQueue& queue,
                         LoopInputNext& next) noexcept {
  std::uint32_t taken = 0;
  for (; taken < core::Burst::kCapacity && !queue.empty(); ++taken) {
    const LoopQueue::Looped& p = queue.front();
    if (taken == 0) {
      next.link = p.link;
      next.vrf = p.vrf;
    } else if (p.link != next.link || p.vrf != next.vrf) {
      break;
    }
    rte_mbuf* m = p.m;
    queue.pop();
    if (counts(w, loopback)) w.interface[loopback.interface].rx.add(1, m->pkt_len);
    const Bytes front = core::front_bytes(*m);
    if (core::kInet6 && front[0] >> 4 == 6) {
      next.ip6.push(m);
      continue;
    }
    const auto ip = Ip4View::parse(front, m->pkt_len);
    if (!ip)
      w.drop(m, ip.error());
    else if (loopback.ip4_checksum && !ip->verify_checksum())
      w.drop(m, DropReason::Ip4BadChecksum);
    else
      next.ip4.push(m);
  }
  return taken;
}
}  // namespace proto
