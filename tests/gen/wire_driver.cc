// SPDX-License-Identifier: BSD-3-Clause
// A driver of wires in memory, whose ends are ports of one process, and that do to what is sent
// what their options say: every N-th frame is lost, or repeated, or damaged, or comes late.
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/driver.h"
#include "core/mbuf.hh"

namespace {
const pollux_option kOptions[] = {
    {"wire", POLLUX_OPTION_STRING, nullptr, "name of the wire; the second port on it is its end"},
    {"lose", POLLUX_OPTION_UINT, "0", "every N-th frame sent from here is lost; 0: none"},
    {"duplicate", POLLUX_OPTION_UINT, "0", "every N-th frame comes twice"},
    {"corrupt", POLLUX_OPTION_UINT, "0", "the last byte of every N-th frame is changed"},
    {"reorder", POLLUX_OPTION_UINT, "0", "every N-th frame comes `depth` frames later"},
    {"depth", POLLUX_OPTION_UINT, "3", "see reorder"},
    {"delay", POLLUX_OPTION_UINT, "0", "microseconds on the way"},
    {"room", POLLUX_OPTION_UINT, "256", "frames on the way at most; the device takes no more"},
    {"speed", POLLUX_OPTION_UINT, "0", "Mbit/s of the link, for show"},
    {"queues", POLLUX_OPTION_UINT, "1", "of both directions; frames arrive on them in turn"},
};
enum Option {
  kWire,
  kLose,
  kDuplicate,
  kCorrupt,
  kReorder,
  kDepth,
  kDelay,
  kRoom,
  kSpeed,
  kQueues
};

struct Frame {
  rte_mbuf* m;
  std::uint64_t due;
};

struct End {
  std::string wire;
  std::uint32_t every[kQueues + 1] = {};  ///< by Option
  std::uint64_t count = 0, arrived = 0;
  std::vector<std::deque<Frame>> rx;  ///< what comes from the other end, by queue
  std::size_t on_the_way = 0;         ///< of rx
  rte_mbuf* held = nullptr;           ///< to be sent later than what comes after it
  std::uint32_t held_for = 0;
  End* other = nullptr;

  [[nodiscard]] bool hits(Option o) const { return every[o] != 0 && count % every[o] == 0; }
  void arrive(rte_mbuf* m) {
    End& to = *other;
    const std::uint64_t delay = every[kDelay] * (rte_get_tsc_hz() / 1'000'000);
    to.rx[to.arrived++ % to.rx.size()].push_back({m, rte_rdtsc() + delay});
    ++to.on_the_way;
  }
  void send(rte_mbuf* m);
};

std::mutex lock;
std::map<std::string, End*> waiting;  ///< ends without another, by wire

void End::send(rte_mbuf* m) {
  ++count;
  if (hits(kLose)) return rte_pktmbuf_free(m);
  if (hits(kReorder) && held == nullptr) {
    held = m;
    held_for = every[kDepth];
    return;
  }
  if (hits(kCorrupt)) core::front_bytes_mut(*m).back() ^= 1;
  if (hits(kDuplicate))
    if (rte_mbuf* copy = rte_pktmbuf_copy(m, m->pool, 0, UINT32_MAX)) arrive(copy);
  arrive(m);
  if (held != nullptr && --held_for == 0) {
    arrive(held);
    held = nullptr;
  }
}

std::uint16_t tx(void* port, std::uint16_t /*queue*/, rte_mbuf** packets, std::uint16_t n) {
  const std::scoped_lock hold{lock};
  auto* end = static_cast<End*>(port);
  std::uint16_t taken = 0;
  while (taken < n && end->other != nullptr && end->other->on_the_way < end->every[kRoom])
    end->send(packets[taken++]);
  return taken;
}

std::uint16_t rx(void* port, std::uint16_t queue, rte_mbuf** packets, std::uint16_t n) {
  const std::scoped_lock hold{lock};
  auto* end = static_cast<End*>(port);
  auto& frames = end->rx[queue];
  std::uint16_t got = 0;
  while (got < n && !frames.empty() && frames.front().due <= rte_rdtsc()) {
    packets[got++] = frames.front().m;
    frames.pop_front();
    --end->on_the_way;
  }
  return got;
}

int open(const pollux_port_request* request, pollux_port* out, char* error, std::size_t size) {
  const std::scoped_lock hold{lock};
  static std::uint8_t number = 0;
  auto end = std::make_unique<End>();
  end->wire = request->options[kWire].value;
  for (std::size_t o = kLose; o <= kQueues; ++o)
    end->every[o] =
        static_cast<std::uint32_t>(std::strtoul(request->options[o].value, nullptr, 10));
  if (end->every[kQueues] == 0) {
    std::snprintf(error, size, "queues=0");
    return -22;
  }
  end->rx.resize(end->every[kQueues]);
  if (const auto at = waiting.find(end->wire); at != waiting.end()) {
    end->other = at->second;
    at->second->other = end.get();
    waiting.erase(at);
  } else {
    waiting[end->wire] = end.get();
  }
  out->rx = rx;
  out->tx = tx;
  out->mac[0] = 2;
  out->mac[5] = ++number;
  out->mtu = 9000;
  out->rx_queues = out->tx_queues = static_cast<std::uint16_t>(end->every[kQueues]);
  out->numa_node = -1;
  std::snprintf(out->device, sizeof out->device, "%s", end->wire.c_str());
  out->port = end.release();
  return 0;
}

void close(void* port) {
  const std::scoped_lock hold{lock};
  const std::unique_ptr<End> end{static_cast<End*>(port)};
  for (auto& queue : end->rx)
    for (const Frame& f : queue) rte_pktmbuf_free(f.m);
  rte_pktmbuf_free(end->held);
  if (end->other != nullptr) end->other->other = nullptr;
  if (const auto at = waiting.find(end->wire); at != waiting.end() && at->second == end.get())
    waiting.erase(at);
}

int link(void* port, pollux_link* out) {
  const auto* end = static_cast<End*>(port);
  *out = {.up = end->other != nullptr ? 1 : 0, .speed_mbps = end->every[kSpeed]};
  return 0;
}

const pollux_driver kDriver{.abi = POLLUX_DRIVER_ABI,
                            .flags = 0,
                            .name = "wire",
                            .description = "wires in memory that do as they are told",
                            .version = "1",
                            .options = kOptions,
                            .n_options = std::size(kOptions),
                            .open = open,
                            .close = close,
                            .link = link,
                            .set_mtu = nullptr,
                            .stats = nullptr,
                            .set_promiscuous = nullptr,
                            .set_multicast = nullptr,
                            .xstats = nullptr,
                            .interface_prefix = nullptr};
}  // namespace

extern "C" const pollux_driver* pollux_driver_entry(void) {
  return &kDriver;
}
