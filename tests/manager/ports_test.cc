// SPDX-License-Identifier: BSD-3-Clause
// Ports: devices that go and come back, names, queues on workers, what is told of it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/stage/router.hh"

namespace {
using namespace test;
using Kind = polluxd::ManagerEvent::Kind;

/// A file that is a device of the driver object fake_port.c.
class Device {
public:
  Device() {
    std::string name = std::filesystem::temp_directory_path() / "pollux-device-XXXXXX";
    ::close(mkstemp(name.data()));
    path = name;
  }
  ~Device() { remove(); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  void remove() const { std::filesystem::remove(path); }
  void put_back() const { std::ofstream{path}; }
  std::string path;
};

class Ports : public testing::Test {
protected:
  Ports() {
    r.configure();
    r.know_neighbors();
    r.manager.on_event([this](const polluxd::ManagerEvent& e) {
      events.push_back({e.kind, e.subject});
    });
  }
  ~Ports() override { r.manager.shutdown(); }
  polluxd::InterfaceSpec spec(const char* name = "", const char* object = "pollux-fake_port.so") {
    polluxd::InterfaceSpec s;
    s.driver = std::string{FAKE_PORTS} + "/" + object;
    s.options = {{"file", device.path}};
    s.name = name;
    return s;
  }
  [[nodiscard]] polluxd::InterfaceInfo info(const std::string& name) const {
    for (const auto& i : r.manager.interfaces())
      if (i.name == name) return i;
    return {};
  }
  [[nodiscard]] polluxd::DriverInfo driver(const std::string& name) const {
    for (const auto& d : r.manager.drivers())
      if (d.object.name == name) return d;
    return {};
  }

  using Events = std::vector<std::pair<Kind, std::string>>;
  Device device;
  Router r;
  Events events;
};

TEST_F(Ports, AnObjectIsLoadedOnceCountedAndUnloaded) {
  Device other;
  EXPECT_EQ(*r.manager.create_interface(spec()), "fk0");
  auto second = spec();
  second.options[0].second = other.path;
  EXPECT_EQ(*r.manager.create_interface(second), "fk1");
  EXPECT_EQ(driver("fake_port").object.references, 2u);
  EXPECT_TRUE(driver("fake_port").object.loaded);
  EXPECT_EQ(driver("fake_port").interfaces, (std::vector<std::string>{"fk0", "fk1"}));
  must(r.manager.destroy_interface("fk0"));
  EXPECT_EQ(driver("fake_port").object.references, 1u);
  must(r.manager.destroy_interface("fk1"));
  EXPECT_EQ(driver("fake_port").object.references, 0u);
  EXPECT_EQ(events, (Events{{Kind::DriverLoaded, "fake_port"},
                            {Kind::InterfaceCreated, "fk0"},
                            {Kind::InterfaceCreated, "fk1"},
                            {Kind::InterfaceDestroyed, "fk0"},
                            {Kind::InterfaceDestroyed, "fk1"},
                            {Kind::DriverUnloaded, "fake_port"}}));
}

TEST_F(Ports, AResidentObjectStays) {
  must(r.manager.create_interface(spec("fk9", "pollux-fake_resident.so")));
  must(r.manager.destroy_interface("fk9"));
  EXPECT_EQ(events.back(), (std::pair{Kind::InterfaceDestroyed, std::string{"fk9"}}));
  EXPECT_TRUE(driver("fake_resident").object.loaded);
  EXPECT_TRUE(driver("fake_resident").object.resident);
  EXPECT_EQ(driver("fake_resident").object.references, 0u);
}

TEST_F(Ports, AnInterfaceWaitsForItsDevice) {
  auto s = spec("fk0");
  s.addresses = {{ip("10.9.0.1"), 24}};
  s.mtu = 1300;
  must(r.manager.create_interface(s));
  must(r.manager.add_route(
      {{ip("172.16.0.0"), 12}, polluxd::RouteSpec::Kind::Unicast, ip("10.9.0.2"), ""}));
  must(r.manager.add_neighbor({"fk0", ip("10.9.0.2"), mac(9)}));
  r.run_for(1);
  events.clear();
  device.remove();
  r.run_for(1);
  EXPECT_TRUE(info("fk0").absent);
  EXPECT_TRUE(info("fk0").up) << "as the administrator left it";
  EXPECT_EQ(info("fk0").link, false);
  const auto to_it = from_host(ip4_udp({.src = Router::kHostIp, .dst = ip("172.16.0.1")}, {}, {}));
  r.receive(r.lan, to_it);
  EXPECT_EQ(r.drops(), (Drops{{"InterfaceGone", 1}}));
  r.run_for(5);
  must(r.manager.set_up("fk0", false));  // all of this works without the device
  must(r.manager.set_up("fk0", true));
  device.put_back();
  r.run_for(12);
  EXPECT_FALSE(info("fk0").absent);
  EXPECT_EQ(info("fk0").mtu, 1300);
  r.receive(r.lan, to_it);
  EXPECT_EQ(r.drops(), (Drops{{"InterfaceGone", 1}}));
  EXPECT_EQ(events, (Events{{Kind::DeviceGone, "fk0"},
                            {Kind::DriverUnloaded, "fake_port"},
                            {Kind::InterfaceDown, "fk0"},
                            {Kind::InterfaceUp, "fk0"},
                            {Kind::DriverLoaded, "fake_port"},
                            {Kind::DeviceBack, "fk0"}}));
}

TEST_F(Ports, AnAbsentInterfaceCanBeDestroyed) {
  must(r.manager.create_interface(spec("fk0")));
  device.remove();
  r.run_for(1);
  must(r.manager.destroy_interface("fk0"));
  device.put_back();
  r.run_for(12);
  EXPECT_EQ(info("fk0").name, "");
}

TEST_F(Ports, WhatCannotBeMadeLeavesNothing) {
  device.remove();
  const auto refused = r.manager.create_interface(spec("fk0"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().context.find("not there"), std::string::npos);
  device.put_back();
  auto s = spec("fk0");
  s.addresses = {{ip("10.9.0.1"), 24}, {Router::kLanIp, 24}};  // the second is lan0's
  EXPECT_EQ(refusal(r.manager.create_interface(s)), core::Errc::Exists);
  EXPECT_EQ(r.manager.interfaces().size(), 2u);
  EXPECT_EQ(r.manager.get_route(ip("10.9.0.2")).kind, proto::NextHopKind::NoRoute);
  EXPECT_EQ(driver("fake_port").object.references, 0u);
  must(r.manager.create_interface(spec("fk0")));
  EXPECT_EQ(refusal(r.manager.set_promiscuous("fk0", true)), core::Errc::Unsupported);
}

TEST_F(Ports, NamesChange) {
  must(r.manager.rename("lan0", "inside"));
  EXPECT_EQ(refusal(r.manager.rename("inside", "wan0")), core::Errc::Exists);
  EXPECT_EQ(refusal(r.manager.rename("inside", "a/b")), core::Errc::Invalid);
  EXPECT_EQ(refusal(r.manager.rename("inside", "")), core::Errc::Invalid);
  EXPECT_EQ(refusal(r.manager.rename("lan0", "x")), core::Errc::NotFound);
  EXPECT_EQ(r.manager.get_route(Router::kHostIp).interface, "inside");
  EXPECT_EQ(events, (Events{{Kind::InterfaceRenamed, "inside"}}));
}

TEST(Queues, AreSharedOutPinnedAndMoved) {
  Router r{{.workers = 2}};
  MemoryPort a{r.pool, {.queues = 4}}, b{r.pool, {.queues = 2}};
  polluxd::InterfaceSpec spec;
  spec.name = "a";
  must(r.attach(a, spec, mac(0x31), 4));
  const auto on_worker = [&](std::uint16_t w) {
    std::size_t n = 0;
    for (const auto& q : r.manager.queues()) n += q.worker == w ? 1 : 0;
    return n;
  };
  EXPECT_EQ(on_worker(0), 2u);
  EXPECT_EQ(on_worker(1), 2u);
  for (std::uint16_t q = 0; q < 4; ++q) must(r.manager.assign_queue("a", q, 0));
  EXPECT_EQ(on_worker(0), 4u);
  EXPECT_EQ(r.manager.spread_queues(), 0u) << "they are pinned";
  spec.name = "b";
  must(r.attach(b, spec, mac(0x32), 2));
  EXPECT_EQ(on_worker(1), 2u) << "the new ones go where there is least";
  must(r.manager.destroy_interface("a"));
  EXPECT_EQ(on_worker(0), 1u) << "evened out";
  EXPECT_EQ(on_worker(1), 1u);
  EXPECT_EQ(refusal(r.manager.assign_queue("b", 2, 0)), core::Errc::Invalid);
  EXPECT_EQ(refusal(r.manager.assign_queue("b", 0, 2)), core::Errc::Invalid);
  EXPECT_EQ(refusal(r.manager.assign_queue("a", 0, 0)), core::Errc::NotFound);
  must(r.manager.destroy_interface("b"));
}
}  // namespace
