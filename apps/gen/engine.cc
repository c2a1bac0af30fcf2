// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/engine.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_cycles.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "core/mbuf.hh"
#include "proto/wire/ip_address.hh"

namespace gen {
using core::Errc;
using core::Error;
using namespace std::chrono_literals;

namespace {
constexpr std::uint32_t kPoolCache = 256;
constexpr std::uint16_t kUsualBuffer = 2048;

/// Buffers: what rings of devices hold, and what is on the way.
std::uint32_t buffers_for(std::size_t ports, unsigned workers) noexcept {
  return static_cast<std::uint32_t>(8191 + 8192 * ports * workers);
}
}  // namespace

std::uint16_t Engine::buffer_size() const noexcept {
  std::uint16_t size = std::max<std::uint16_t>(kUsualBuffer, options_.largest_frame);
  for (const StreamPlan& s : plan_.streams) size = std::max(size, s.size.largest());
  return size;
}

Engine::Engine(const Plan& plan, const EngineOptions& options)
    : plan_{plan}, options_{options}, drivers_{std::vector<std::string>{}} {}

core::Expected<std::unique_ptr<Engine>> Engine::open(const Plan& plan,
                                                     const EngineOptions& options) {
  std::unique_ptr<Engine> engine{new Engine{plan, options}};
  if (const auto done = engine->open_all(); !done) return done.error();
  return engine;
}

Engine::~Engine() {
  for (Port& p : ports_) p.open.close();
  ports_.clear();
  pool_.reset();
  if (eal_up_) polluxd::eal_cleanup(0);
}

core::Expected<> Engine::open_all() {
  const std::uint16_t size = buffer_size();
  const std::uint32_t buffers = buffers_for(plan_.ports.size(), options_.workers);
  // A buffer takes its headroom and rte_mbuf beside the frame; devices have rings of their own.
  const std::uint64_t bytes = std::uint64_t{buffers} * (size + 320u);
  auto eal = polluxd::eal_init(
      {.instance = 0,
       .worker_cpus = polluxd::choose_cpus(options_.workers, options_.cpus),
       .memory_mib = static_cast<std::uint32_t>((bytes >> 20) + 32 + 16 * plan_.ports.size()),
       .extra = options_.eal});
  if (!eal) return eal.error();
  eal_ = *std::move(eal);
  eal_up_ = true;
  hz_ = static_cast<double>(rte_get_tsc_hz());
  run_number_ = static_cast<std::uint16_t>(rte_rdtsc() >> 10);
  auto pool = core::create_packet_pool("gen", buffers, kPoolCache, size);
  if (!pool) return pool.error();
  pool_ = *std::move(pool);
  for (const PortPlan& p : plan_.ports)
    if (const auto done = open_port(p); !done) return done.error();
  return core::Done{};
}

core::Expected<> Engine::open_port(const PortPlan& plan) {
  const auto parsed = drivers_.parse_device(plan.device);
  if (!parsed) return parsed.error();
  const auto driver = drivers_.load(parsed->driver);
  if (!driver) return driver.error();
  if (polluxd::is_built_in(**driver))
    return Error{Errc::Invalid, fmt::format("driver {} has no device of its own; tags are written "
                                            "by streams that have \"vlan\"",
                                            parsed->driver)};
  // Frames that do not fit the usual MTU need a larger one, where the device has a say in it.
  const bool jumbo = buffer_size() > kUsualBuffer;
  const auto mtu = static_cast<std::uint16_t>(jumbo ? buffer_size() - 18 : 0);
  auto opened = drivers_.open(*driver, {.options = parsed->options,
                                        .queues = static_cast<std::uint16_t>(options_.workers),
                                        .mtu = mtu,
                                        .pool = pool_.get(),
                                        .pool_near = {}});
  if (!opened) return opened.error();
  Port& port = ports_.emplace_back();
  port.open = *std::move(opened);
  std::ranges::copy(port.open.port.mac, port.mac.begin());
  port.speaker = std::make_unique<NeighborSpeaker>(plan, port.mac);
  // What streams are sent to may be other addresses than the port's. Some devices have no filter.
  (void)port.open.set_promiscuous(true);
  const auto groups = port.speaker->groups();
  if (!groups.empty()) (void)port.open.set_multicast(groups);
  return core::Done{};
}

core::Expected<> Engine::prepare() {
  if (auto done = wait_for_links(); !done) return done;
  return wait_for_gateways();
}

core::Expected<> Engine::wait_for_links() {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>{options_.wait_s};
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    for (;;) {
      const auto link = ports_[i].open.link();
      if (!link) return link.error();
      if (link->up != 0) break;
      if (interrupted()) return Error{Errc::Timeout, "interrupted"};
      if (std::chrono::steady_clock::now() > end)
        return Error{Errc::Timeout,
                     fmt::format("port {} ({}): no link for {} s", plan_.ports[i].name,
                                 ports_[i].open.port.device, options_.wait_s)};
      std::this_thread::sleep_for(20ms);
    }
  }
  return core::Done{};
}

std::string Engine::missing_gateways() const {
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < ports_.size(); ++i)
    for (const auto& g : ports_[i].speaker->gateways())
      if (!g.mac)
        missing.push_back(
            fmt::format("{} on {}", proto::to_string(g.address), plan_.ports[i].name));
  return fmt::format("{}", fmt::join(missing, ", "));
}

core::Expected<> Engine::wait_for_gateways() {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>{options_.wait_s};
  auto ask_at = std::chrono::steady_clock::now();
  while (!missing_gateways().empty()) {
    const auto now = std::chrono::steady_clock::now();
    if (interrupted()) return Error{Errc::Timeout, "interrupted"};
    if (now > end)
      return Error{Errc::Timeout, fmt::format("no answer from the gateway {} for {} s",
                                              missing_gateways(), options_.wait_s)};
    for (Port& p : ports_) {
      if (now < ask_at) break;
      for (std::size_t g = 0; g < p.speaker->gateways().size(); ++g) {
        if (p.speaker->gateways()[g].mac) continue;
        std::array<std::uint8_t, NeighborSpeaker::kMaxFrame> frame;
        const std::size_t length = p.speaker->question(g, frame);
        rte_mbuf* m = length == 0 ? nullptr : rte_pktmbuf_alloc(pool_.get());
        if (m == nullptr) continue;
        core::grow_back(*m, static_cast<std::uint16_t>(length));
        proto::copy(proto::Bytes{frame}.first(length), core::front_bytes_mut(*m));
        if (p.open.port.tx(p.open.port.port, 0, &m, 1) != 1) rte_pktmbuf_free(m);
      }
    }
    if (now >= ask_at) ask_at = now + 200ms;
    serve_ports();
    std::this_thread::sleep_for(1ms);
  }
  return core::Done{};
}

// No worker runs: this thread has the queues.
void Engine::serve_ports() {
  for (Port& p : ports_) {
    for (std::uint16_t queue = 0; queue < p.open.port.rx_queues; ++queue) {
      std::array<rte_mbuf*, 32> burst;
      const std::uint16_t n = p.open.port.rx(p.open.port.port, queue, burst.data(), 32);
      for (std::uint16_t i = 0; i < n; ++i) {
        const proto::Bytes frame = core::front_bytes(*burst[i]);
        p.speaker->learn(frame);
        std::array<std::uint8_t, NeighborSpeaker::kMaxFrame> reply;
        const std::size_t length = p.speaker->answer(frame, reply);
        rte_pktmbuf_free(burst[i]);
        rte_mbuf* m = length == 0 ? nullptr : rte_pktmbuf_alloc(pool_.get());
        if (m == nullptr) continue;
        core::grow_back(*m, static_cast<std::uint16_t>(length));
        proto::copy(proto::Bytes{reply}.first(length), core::front_bytes_mut(*m));
        if (p.open.port.tx(p.open.port.port, 0, &m, 1) != 1) rte_pktmbuf_free(m);
      }
    }
  }
}

double Engine::line_rate(std::size_t port) const {
  if (options_.line_rate > 0) return options_.line_rate;
  const auto link = ports_[port].open.link();
  return link ? double{1e6} * link->speed_mbps : 0;
}

std::size_t Engine::senders(std::size_t port) const noexcept {
  return std::min<std::size_t>(options_.workers, ports_[port].open.port.tx_queues);
}

core::MacAddress Engine::destination(const StreamPlan& stream) const {
  for (const auto& g : ports_[stream.from].speaker->gateways())
    if (g.address.is_ip4() != stream.is_ip6 && g.mac) return *g.mac;
  return ports_[stream.to].mac;  // the two are on one link
}
}  // namespace gen
