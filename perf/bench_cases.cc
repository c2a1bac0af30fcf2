// SPDX-License-Identifier: BSD-3-Clause
#include "perf/bench_cases.hh"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <array>
#include <memory>

#include "core/mbuf.hh"
#include "crypto/mb_engine.hh"
#include "perf/bench_stack.hh"
#include "proto/ether_input.hh"
#include "proto/ether_output.hh"
#include "proto/ip4_forward.hh"
#include "proto/ip4_input.hh"
#include "proto/ip4_lookup.hh"
#include "proto/wire/esp.hh"

namespace perf {
namespace {
constexpr std::uint32_t kSome = 1 << 12, kMany = 1 << 16;
constexpr std::uint32_t kColdDepth = 4096;
constexpr std::uint16_t kShort = 60, kLong = 1416;  // frames without FCS: "64" and "1420"

/// Samples of `program cycles per packet`: all cycles less those of the devices.
template <class Iterate, class Count, class Device>
Samples sample(Iterate iterate, Count packets, Device device_cycles) {
  for (std::size_t warm = packets() + 4 * kChunk; packets() < warm;) iterate();
  Samples samples;
  samples.reserve(kChunks);
  for (std::size_t n = 0; n < kChunks; ++n) {
    const std::uint64_t first = packets(), device = device_cycles(), then = rte_rdtsc();
    while (packets() - first < kChunk) iterate();
    const std::uint64_t all = rte_rdtsc() - then;
    samples.push_back(static_cast<double>(all - (device_cycles() - device)) /
                      static_cast<double>(packets() - first));
  }
  return samples;
}

Case pipeline(std::string name, std::string what, std::string limit, Stack::Options options) {
  return {std::move(name), std::move(what), "io", std::move(limit),
          [options](rte_mempool* pool) -> std::function<Samples()> {
            auto stack = std::make_shared<Stack>(pool, options);
            return [stack] {
              return sample([&] { stack->run_once(); }, [&] { return stack->sent(); },
                            [&] { return stack->device_cycles(); });
            };
          }};
}

/// The floor: bursts go from receive to transmit untouched, as testpmd's io mode does.
Case io() {
  return {"io", "floor: receive to transmit, untouched", "", "",
          [](rte_mempool* pool) -> std::function<Samples()> {
            auto port = std::make_shared<BenchPort>(pool, udp_frames({}));
            port->receiving(true);
            return [port] {
              const auto iterate = [&] {
                std::array<rte_mbuf*, core::Burst::kCapacity> burst;
                const std::uint16_t n = BenchPort::rx(port.get(), 0, burst.data(), burst.size());
                BenchPort::tx(port.get(), 0, burst.data(), n);
              };
              return sample(
                  iterate, [&] { return port->sent(); }, [&] { return port->device_cycles(); });
            };
          }};
}

/// Buffers that are hot, and the library's call on each with a new nonce.
struct EngineAlone {
  EngineAlone(bool seal, std::size_t inner_len)
      : out{seal}, length{inner_len + proto::esp_padding(inner_len) + proto::EspView::kTrailerLen} {
    engine.expand(crypto::Algorithm::AesGcm128, std::array<std::uint8_t, 16>{7}, key);
  }
  void run() noexcept {
    for (auto& buffer : text) {
      const proto::MutBytes plain{buffer.data() + 64, length};
      const proto::Bytes aad{buffer.data(), 8};
      const crypto::GcmNonce nonce{1, ++iv};
      std::uint8_t* icv = buffer.data() + 64 + length;
      if (out)
        engine.seal(crypto::Algorithm::AesGcm128, key, nonce, aad, plain, icv);
      else
        (void)engine.open(crypto::Algorithm::AesGcm128, key, nonce, aad, plain, icv);
    }
    packets += text.size();
  }
  bool out;
  std::size_t length;  ///< bytes of ciphertext
  crypto::MbEngine engine;
  crypto::GcmKey key{};
  std::uint64_t iv = 0, packets = 0;
  std::array<std::array<std::uint8_t, 2048>, core::Burst::kCapacity> text{};
};

/// The limit of IPsec: the library alone.
Case engine_alone(const std::string& name, bool out, std::size_t inner_len) {
  return {name, "limit: IPsec-MB alone", "", "",
          [out, inner_len](rte_mempool*) -> std::function<Samples()> {
            auto alone = std::make_shared<EngineAlone>(out, inner_len);
            return [alone] {
              return sample([&] { alone->run(); }, [&] { return alone->packets; },
                            [] { return std::uint64_t{0}; });
            };
          }};
}

/// The forwarding chain with the counter read between its stages.
struct Chain {
  static constexpr std::array kStages{"ether_input", "ip4_input", "ip4_lookup", "ip4_forward",
                                      "ether_output"};
  Chain(rte_mempool* pool, std::uint32_t destinations)
      : stack{pool, {.traffic = {.destinations = destinations}}} {}

  void run() noexcept {
    core::Worker& w = stack.shard().worker;
    proto::IpShard& ip4 = stack.shard().ip;
    const polluxd::StackConfig& config = stack.config();
    const core::Interface* lan = nullptr;
    for (const core::Interface& i : config.interfaces)
      if (i.port == &stack.lan()) lan = &i;
    core::Burst rx;
    rx.fill([&](rte_mbuf** slots, std::uint16_t n) { return lan->rx(lan->port, 0, slots, n); });
    packets += rx.size();
    proto::EtherInputNext l2;
    core::NotedBurst<std::uint32_t> checked;
    proto::Ip4LookupNext routed;
    proto::RoutedBurst out, too_big;
    std::array<std::uint64_t, kStages.size() + 1> at;
    at[0] = rte_rdtsc();
    proto::ether_input(w, *lan, rx, l2);
    at[1] = rte_rdtsc();
    proto::ip4_input(w, {}, l2.ip4, checked, routed.refused);
    at[2] = rte_rdtsc();
    proto::ip4_lookup(w, ip4, config.ip4, {lan->id, false}, checked, routed);
    at[3] = rte_rdtsc();
    proto::ip4_forward(w, routed.forward, out, too_big, routed.refused);
    at[4] = rte_rdtsc();
    const std::uint64_t device = stack.device_cycles();
    proto::ether_output(w, ip4, config.interfaces, *config.ip4.next_hops, out);
    at[5] = rte_rdtsc() - (stack.device_cycles() - device);
    for (std::size_t i = 0; i < kStages.size(); ++i) cycles[i] += at[i + 1] - at[i];
    core::flush_tx(w, config.interfaces);
  }

  Stack stack;
  std::uint64_t packets = 0;
  std::array<std::uint64_t, kStages.size()> cycles{};
};

Case stage(std::size_t n, const char* load, std::uint32_t destinations) {
  return {fmt::format("stage-{}-{}", Chain::kStages[n], load), "one stage of forwarding", "", "",
          [n, destinations](rte_mempool* pool) -> std::function<Samples()> {
            auto chain = std::make_shared<Chain>(pool, destinations);
            return [chain, n] {
              Samples samples;
              for (std::size_t i = 0; i < kChunks + 4; ++i) {
                const std::uint64_t first = chain->packets, then = chain->cycles[n];
                while (chain->packets - first < kChunk) chain->run();
                if (i >= 4)  // the first are warm-up
                  samples.push_back(static_cast<double>(chain->cycles[n] - then) /
                                    static_cast<double>(chain->packets - first));
              }
              return samples;
            };
          }};
}
}  // namespace

std::vector<Case> pipeline_cases() {
  using Tunnel = Stack::Options::Tunnel;
  using Watch = Stack::Options::Watch;
  constexpr auto kGcm128 = crypto::Algorithm::AesGcm128;
  const auto esp = [&](Tunnel t, std::uint16_t length) {
    return Stack::Options{.traffic = {.frame_len = length}, .algorithm = kGcm128, .tunnel = t};
  };
  constexpr std::size_t kEther = 14;
  return {
      io(),
      pipeline("ip4-1flow-64", "IPv4 forwarding, 1 flow, 64 B", "", {}),
      pipeline("ip4-64k-64", "IPv4 forwarding, 64k destinations over 64k routes, 64 B", "",
               {.traffic = {.destinations = kMany}}),
      pipeline("ip4-64k-64-cold", "the same, packets out of L1", "",
               {.traffic = {.destinations = kMany}, .depth = kColdDepth}),
      pipeline("ip6-1flow-64", "IPv6 forwarding, 1 flow, 64 B", "ip4-1flow-64",
               {.traffic = {.ip6 = true}}),
      pipeline("ip4-4k-64", "IPv4 forwarding, 4k destinations over 4k routes, 64 B", "",
               {.traffic = {.destinations = kSome}}),
      pipeline("ip6-4k-64", "IPv6 forwarding, 4k destinations over 4k routes, 64 B", "ip4-4k-64",
               {.traffic = {.destinations = kSome, .ip6 = true}}),
      pipeline("ip4-1flow-64-trace", "1 flow, a trace whose filter takes nothing", "ip4-1flow-64",
               {.traffic = {}, .watch = Watch::Trace}),
      pipeline("ip4-1flow-64-capture-other", "1 flow, a capture of another interface",
               "ip4-1flow-64", {.traffic = {}, .watch = Watch::Nowhere}),
      pipeline("ip4-1flow-64-capture", "1 flow, all of it captured", "ip4-1flow-64",
               {.traffic = {}, .watch = Watch::Lan}),
      engine_alone("imb-gcm128-out-64", true, kShort - kEther),
      engine_alone("imb-gcm128-in-64", false, kShort - kEther),
      engine_alone("imb-gcm128-out-1420", true, kLong - kEther),
      engine_alone("imb-gcm128-in-1420", false, kLong - kEther),
      pipeline("esp-gcm128-out-64", "ESP out, AES-128-GCM, 64 B", "imb-gcm128-out-64",
               esp(Tunnel::Out, kShort)),
      pipeline("esp-gcm128-in-64", "ESP in, AES-128-GCM, 64 B", "imb-gcm128-in-64",
               esp(Tunnel::In, kShort)),
      pipeline("esp-gcm128-out-1420", "ESP out, AES-128-GCM, 1420 B", "imb-gcm128-out-1420",
               esp(Tunnel::Out, kLong)),
      pipeline("esp-gcm128-in-1420", "ESP in, AES-128-GCM, 1420 B", "imb-gcm128-in-1420",
               esp(Tunnel::In, kLong)),
  };
}

std::vector<Case> stage_cases() {
  std::vector<Case> all;
  for (std::size_t n = 0; n < Chain::kStages.size(); ++n) {
    all.push_back(stage(n, "1flow", 1));
    all.push_back(stage(n, "64k", kMany));
  }
  return all;
}
}  // namespace perf
