// SPDX-License-Identifier: BSD-3-Clause
// Two real workers under constant traffic while the manager changes everything they read.
#include <atomic>
#include <functional>
#include <random>
#include <thread>

#include "tests/stage/router.hh"

namespace {
using namespace test;
using crypto::Direction;
using Kind = polluxd::RouteSpec::Kind;

/// Runs the workers of a router in threads of their own, and the wires of its ports in another.
class RunningRouter {
public:
  RunningRouter(
      Router& router, std::vector<Packet> from_lan, std::vector<Packet> from_wan,
      std::function<void(const Packet&)> look = [](const Packet&) {})
      : r{router},
        from_lan_{std::move(from_lan)},
        from_wan_{std::move(from_wan)},
        look_at_{std::move(look)} {
    for (std::size_t n = 0; n < 2; ++n)
      workers_.emplace_back([this, n] {
        polluxd::run_worker(r.shard(n), {r.manager.published(), r.rcu, clock, stop_workers_});
      });
    wire_ = std::thread{[this] {
      while (!stop_wire_.load(std::memory_order_relaxed)) carry();
    }};
  }
  ~RunningRouter() { end(); }
  RunningRouter(const RunningRouter&) = delete;
  RunningRouter& operator=(const RunningRouter&) = delete;

  /// No more traffic; the workers take what is there, then stop.
  void end() {
    if (!wire_.joinable()) return;
    stop_wire_ = true;
    wire_.join();
    while (r.lan.waiting() + r.wan.waiting() != 0) poll();
    stop_workers_ = true;
    for (std::thread& t : workers_) t.join();
    for (MemoryPort* port : {&r.lan, &r.wan})
      for (std::uint16_t q = 0; q < 2; ++q) note_sent(port->take_sent(q));
  }
  /// The manager's turn.
  void poll() { r.manager.poll(clock.now_us()); }
  /// Turns of the manager until `done`. @return false when that takes forever.
  template <class F>
  bool poll_until(F&& done) {
    for (const std::uint64_t start_us = clock.now_us(); !done();) {
      if (clock.now_us() - start_us > 120'000'000) return false;
      poll();
      std::this_thread::yield();
    }
    return true;
  }

  Router& r;
  core::Clock clock;
  std::atomic<std::uint64_t> pushed{0}, taken{0}, arp_taken{0}, esp_taken{0};

private:
  void push(MemoryPort& port, Packet frame) {
    port.push(std::move(frame), static_cast<std::uint16_t>(turn_++ % 2));
    ++pushed;
  }
  void note_sent(const std::vector<Packet>& sent) {
    taken += sent.size();
    for (const Packet& p : sent) {
      if (p[12] == 0x08 && p[13] == 0x06) ++arp_taken;
      if (p[12] == 0x08 && p[13] == 0x00 && p[23] == 50) ++esp_taken;
    }
  }
  void carry() {
    if (r.lan.waiting() < 128)
      for (const Packet& p : from_lan_) push(r.lan, p);
    if (r.wan.waiting() < 128)
      for (const Packet& p : from_wan_) push(r.wan, p);
    for (std::uint16_t q = 0; q < 2; ++q) {
      note_sent(r.lan.take_sent(q));
      const auto sent = r.wan.take_sent(q);
      note_sent(sent);
      for (const Packet& p : sent) {
        look_at_(p);
        mirror(p);
      }
    }
    std::this_thread::yield();
  }
  /// The far end of the tunnel has our keys both ways: what we seal comes back to us.
  void mirror(const Packet& frame) {
    if (frame.size() < 34 || frame[23] != 50) return;
    const Packet esp{frame.begin() + 34, frame.end()};
    push(r.wan, from_gateway(
                    ip4({.protocol = 50, .src = Router::kGatewayIp, .dst = Router::kWanIp}, esp)));
  }

  std::vector<Packet> from_lan_, from_wan_;
  std::function<void(const Packet&)> look_at_;  ///< sees each frame sent on wan0
  std::size_t turn_ = 0;
  std::atomic<bool> stop_wire_{false}, stop_workers_{false};
  std::vector<std::thread> workers_;
  std::thread wire_;
};

Packet udp_to(const char* dst, std::uint8_t ttl = 64) {
  return ip4_udp({.ttl = ttl, .src = Router::kHostIp, .dst = ip(dst)}, {}, pattern(30));
}

/// A bit of everything, so that each table is read all the time.
std::vector<Packet> frames_of_the_host() {
  std::vector<Packet> all;
  for (const char* dst : {"192.0.2.254", "192.0.2.77", "172.16.0.1", "172.17.0.1", "172.18.0.1",
                          "10.7.0.9", "8.8.8.8", "10.1.0.255"})
    all.push_back(from_host(udp_to(dst)));
  all.push_back(from_host(udp_to("10.2.0.1", 4)));  // tunnel and back, until its TTL ends
  all.push_back(from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, {})));
  all.push_back(arp_frame(
      {.sender_mac = Router::kHostMac, .sender_ip = Router::kHostIp, .target_ip = Router::kLanIp}));
  return all;
}
std::vector<Packet> frames_of_the_gateway() {
  return {from_gateway(ip4_udp({.src = Router::kGatewayIp, .dst = Router::kHostIp}, {}, {})),
          arp_frame({.operation = 2,
                     .sender_mac = Router::kGatewayMac,
                     .sender_ip = Router::kGatewayIp,
                     .target_mac = Router::kWanMac,
                     .target_ip = Router::kWanIp})};
}

/// One change of the manager after the other, each undone later.
class Changes {
public:
  explicit Changes(RunningRouter& running) : running_{running}, m_{running.r.manager} {}

  void one(unsigned n) {
    switch (n % 12) {
      case 0: route("172.16.0.0", Kind::Unicast, Router::kGatewayIp); break;
      case 1: address(); break;
      case 2: neighbor(); break;
      case 3: interface(); break;
      case 4: tunnel(); break;
      case 5: rekey(); break;
      case 6: must(m_.set_sysctl("net.inet.ip.ttl", 32 + n % 64)); break;
      case 7: route("0.0.0.0", Kind::Unicast, Router::kGatewayIp, 0); break;
      case 8: must(m_.set_mtu("wan0", n % 24 < 12 ? 1400 : 1500)); break;
      case 9: must(m_.set_up("wan0", n % 24 >= 12)); break;
      case 10: route("172.18.0.0", Kind::Blackhole, {}); break;
      default: must(m_.set_sysctl("net.inet.ip.forwarding", n % 36 < 24)); break;
    }
    running_.poll();
  }
  /// All that is needed for packets of every kind to pass.
  void settle() {
    must(m_.set_up("wan0", true));
    must(m_.set_sysctl("net.inet.ip.forwarding", 1));
    if (m_.tunnels().empty()) tunnel();
  }

private:
  void route(const char* net, Kind kind, std::optional<std::uint32_t> via,
             std::uint8_t length = 16) {
    const proto::Ip4Prefix p{ip(net), length};
    if (!m_.delete_route(p)) must(m_.add_route({p, kind, via, ""}));
  }
  void address() {
    const proto::Ip4Prefix a{ip("10.7.0.1"), 24};
    if (!m_.delete_address("lan0", a)) must(m_.add_address("lan0", a));
  }
  void neighbor() {
    if (!m_.delete_neighbor("wan0", ip("192.0.2.77")))
      must(m_.add_neighbor({"wan0", ip("192.0.2.77"), mac(77)}));
  }
  void interface() {
    if (m_.destroy_interface("aux0")) return;
    polluxd::InterfaceSpec spec;
    spec.name = "aux0";
    spec.addresses = {{ip("172.17.0.2"), 24}};
    must(running_.r.attach(aux, spec, mac(0x30), /*queues=*/2));
    must(m_.add_neighbor({"aux0", ip("172.17.0.1"), mac(0x31)}));
  }
  void tunnel() {
    if (m_.destroy_interface("ipsec0")) return;
    must(m_.create_tunnel({.name = "ipsec0",
                           .local = Router::kWanIp,
                           .remote = Router::kGatewayIp,
                           .mtu = 0,
                           .selectors = {}}));
    must(m_.add_route({{ip("10.2.0.0"), 16}, Kind::Unicast, {}, "ipsec0"}));
    rekey();
  }
  void rekey() {
    if (m_.tunnels().empty()) return;
    ++spi_;
    for (const Direction d : {Direction::In, Direction::Out}) {
      crypto::SaSpec sa;
      sa.tunnel = "ipsec0";
      sa.direction = d;
      sa.spi = spi_;
      sa.key = std::move(*crypto::Secret::from_hex(std::string(72, 'a')));
      must(m_.add_sa(sa));
      (void)m_.delete_sa("ipsec0", d, spi_ - 1);
    }
  }

  RunningRouter& running_;
  polluxd::Manager& m_;
  std::uint32_t spi_ = 0x1000;

public:
  MemoryPort aux{running_.r.pool, {.queues = 2}};
};

std::uint64_t handed(Router& r) {
  std::uint64_t n = 0;
  for (std::size_t w = 0; w < 2; ++w)
    n += r.shard(w)
             .worker.stages[static_cast<std::size_t>(core::Stage::HandoffInput)]
             .packets.read();
  return n;
}

TEST(WorkersAndManager, EverythingChangesUnderTraffic) {
  Router r{{.workers = 2}};
  r.configure(2, 2);
  r.know_neighbors();
  const std::uint64_t taken_before = handed(r);  // what configure() has sent already
  RunningRouter running{r, frames_of_the_host(), frames_of_the_gateway()};
  Changes changes{running};
  for (unsigned n = 0; n < 400; ++n) changes.one(n);
  changes.settle();
  const std::uint64_t esp = running.esp_taken;
  EXPECT_TRUE(running.poll_until([&] { return running.esp_taken > esp + 10; }));
  EXPECT_FALSE(testing::Test::HasFailure());
  running.end();
  // Every frame that the ports gave or the manager made has ended once.
  std::uint64_t begun = running.pushed + handed(r) - taken_before, ended = sum_of(r.drops());
  for (std::size_t w = 0; w < 2; ++w) {
    begun += r.shard(w).worker.originated.read();
    ended += r.shard(w).worker.consumed.read();
  }
  ended += running.taken;
  for (std::uint16_t q = 0; q < 2; ++q) ended += changes.aux.take_sent(q).size();
  EXPECT_EQ(begun, ended);
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.pool.in_use(), 0u);
}

TEST(WorkersAndManager, NoFrameCarriesHalfOfANextHop) {
  const core::MacAddress macs[] = {{2, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa},
                                   {2, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb}};
  Router r{{.workers = 2}};
  r.configure(2, 2);
  r.know_neighbors();
  must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, macs[0]}));
  std::atomic<std::uint64_t> whole{0}, mixed{0};
  const std::vector<Packet> from_lan(64, from_host(udp_to("192.0.2.254")));
  RunningRouter running{r, from_lan, {}, [&](const Packet& p) {
                          const bool one = std::equal(macs[0].begin(), macs[0].end(), p.begin()) ||
                                           std::equal(macs[1].begin(), macs[1].end(), p.begin());
                          ++(one ? whole : mixed);
                        }};
  unsigned changes = 0;
  EXPECT_TRUE(running.poll_until([&] {
    must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, macs[++changes % 2]}));
    return changes >= 2000 && whole > 2000;
  }));
  running.end();
  EXPECT_EQ(mixed, 0u);
  EXPECT_EQ(r.pool.in_use(), 0u);
}

TEST(WorkersAndManager, WorkersHandFramesToTheOwnerOfTheQueue) {
  Router r{{.workers = 2}};
  r.configure(/*lan_queues=*/2, /*wan_queues=*/1);
  r.know_neighbors();
  std::vector<Packet> from_lan(16, from_host(udp_to("192.0.2.254")));
  RunningRouter running{r, from_lan, {}};
  const std::uint64_t before = handed(r);
  EXPECT_TRUE(running.poll_until([&] { return handed(r) > before + 1000; }));
  must(r.manager.set_mtu("wan0", 1400));
  must(r.manager.add_route({{0, 0}, Kind::Unicast, Router::kGatewayIp, ""}));
  EXPECT_TRUE(running.poll_until([&] { return handed(r) > before + 2000; }));
  running.end();
  const Drops drops = r.drops();
  // While the MTU changes, packets for the gateway wait, and 16 at most.
  for (const auto& [name, n] : drops)
    EXPECT_TRUE(name == "HandoffFull" || name == "WorkerStopping" || name == "NeighborHoldFull")
        << name;
  // A frame handed over when the owner had ended already lies in its ring still.
  EXPECT_EQ(running.pushed, running.taken + sum_of(drops) + r.pool.in_use());
}
}  // namespace
