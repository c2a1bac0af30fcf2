// SPDX-License-Identifier: BSD-3-Clause
// A kernel interface through AF_PACKET sockets: works everywhere, copies every packet.
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "pmd-adapters/driver.hh"

namespace pmd {
namespace {
// What the kernel and DPDK's driver put in front of the packet in a frame of the ring. Received
// packets start later than sent ones: tpacket_rcv() aligns the network header.
constexpr std::size_t kRxOffset = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) - 14;
constexpr std::size_t kTxOffset = TPACKET2_HDRLEN - sizeof(sockaddr_ll);

constexpr pollux_option kOptions[] = {
    {"iface", POLLUX_OPTION_STRING, nullptr, "interface of the kernel"},
    {"framesz", POLLUX_OPTION_UINT, "0",
     "bytes of a frame in the ring; 0: as a packet buffer holds, in steps of 1024"},
    {"framecnt", POLLUX_OPTION_UINT, "1024", "frames in each direction of a queue's ring"},
    {"blocksz", POLLUX_OPTION_UINT, "0",
     "bytes of a block, a multiple of framesz and of the page size; 0: the smallest"},
    {"qpairs", POLLUX_OPTION_UINT, "0", "queues; 0: one per worker"},
    {"qdisc_bypass", POLLUX_OPTION_UINT, "1", "1: send past the queueing discipline"},
};

struct Ring {
  std::size_t frame, block, frames;
};

/// The ring's geometry. DPDK's driver counts on frames without gaps: a block is a multiple of a
/// frame, and the frames fill their blocks.
Outcome<Ring> plan_ring(const Request& r) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  // The driver refuses frames whose data part is beyond a packet buffer.
  const std::size_t largest = buffer_capacity(r.pool()) + kTxOffset;
  std::size_t frame = r.number("framesz");
  if (frame == 0) frame = largest / 1024 * 1024;
  if (frame < 1024 || frame > largest || frame % TPACKET_ALIGNMENT != 0)
    return Failure{EINVAL, fmt::format("framesz {} is not a multiple of {} from 1024 to {}", frame,
                                       TPACKET_ALIGNMENT, largest)};
  std::size_t block = r.number("blocksz");
  if (block == 0) block = std::lcm(frame, page);
  if (block % page != 0 || block % frame != 0 || block > (1u << 24))
    return Failure{EINVAL, fmt::format("blocksz {} is not a multiple of framesz {} and of the page "
                                       "size {}, up to 16777216",
                                       block, frame, page)};
  const std::size_t per_block = block / frame;
  const std::size_t frames = r.number("framecnt") / per_block * per_block;
  if (frames == 0 || frames > 65536)
    return Failure{EINVAL, fmt::format("framecnt {} is not within {} and 65536",
                                       r.number("framecnt"), per_block)};
  return Ring{frame, block, frames};
}

Outcome<EthdevSpec> plan(const Request& r) {
  const auto ring = plan_ring(r);
  if (!ring) return ring.error();
  if (r.number("qdisc_bypass") > 1) return Failure{EINVAL, "qdisc_bypass is neither 0 nor 1"};
  const std::uint32_t asked = r.number("qpairs");
  if (asked > 64) return Failure{EINVAL, "qpairs is beyond 64"};
  // Every queue's socket gets its share of the packets, so all of them are polled.
  const auto queues = static_cast<std::uint16_t>(asked == 0 ? r.queues() : asked);
  auto interface = KernelInterface::take(r.text("iface"));
  if (!interface) return interface.error();

  EthdevSpec spec;
  spec.devargs = fmt::format(
      "net_af_packet_{},iface={},blocksz={},framesz={},framecnt={},qpairs={},qdisc_bypass={}",
      r.name(), interface->name(), ring->block, ring->frame, ring->frames, queues,
      r.number("qdisc_bypass"));
  spec.device = interface->name();
  spec.queues = queues;
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.frame_capacity = std::min(ring->frame - kRxOffset, buffer_capacity(r.pool()));
  spec.interface.emplace(std::move(*interface));
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("af_packet", "a kernel interface through AF_PACKET sockets", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
