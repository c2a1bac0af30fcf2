// SPDX-License-Identifier: BSD-3-Clause
// trace.start and capture.start as a client meets them: the answer, the stream, its end.
#include <cstring>

#include "apps/polluxd/api_packet_text.hh"
#include "tests/apps/api_lab.hh"
#include "tests/support/packet.hh"

namespace {
using namespace test;

class ObserveApi : public ApiLab {
protected:
  /// A frame arrives, and the stack goes on until it has done what it does.
  void arrive(Packet frame, int times = 1) {
    for (int i = 0; i < times; ++i) port.push(frame);
    turn();
  }
  void turn() {
    for (int i = 0; i < 4; ++i) {
      now_us += 1000;
      shard.worker.now_us = now_us;
      polluxd::run_once(shard, manager.published().read());
      manager.poll(now_us);
      server->poll();
    }
  }
  static Packet echo() {
    return ether({.dst = kOurMac, .src = mac(7)},
                 ip4_icmp({.src = ip("10.0.0.2"), .dst = ip("10.0.0.1")}, {}, pattern(8)));
  }
  static Packet foreign() { return ether({.dst = mac(99), .src = mac(7)}, pattern(46)); }
  /// Everything that comes until the server closes the connection.
  std::string rest() {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (client->read() && std::chrono::steady_clock::now() < limit) turn();
    return client->received();
  }
  std::size_t watched() {
    const auto& o = manager.published().read().observation;
    return o == nullptr ? 0 : o->captures.size() + (o->trace != nullptr ? 1 : 0);
  }
  static std::vector<Json> lines(const std::string& text) {
    std::vector<Json> all;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      all.push_back(Json::parse(text.substr(at, end - at)));
    return all;
  }
  /// {type: how many} of the blocks of a file.
  static std::map<std::uint32_t, int> blocks(const std::string& file) {
    std::map<std::uint32_t, int> found;
    for (std::size_t at = 0; at + 12 <= file.size();) {
      std::uint32_t type, length, again;
      std::memcpy(&type, file.data() + at, 4);
      std::memcpy(&length, file.data() + at + 4, 4);
      if (length < 12 || at + length > file.size()) return {};
      std::memcpy(&again, file.data() + at + length - 4, 4);
      EXPECT_EQ(length, again);
      ++found[type];
      at += length;
    }
    return found;
  }
  static constexpr std::uint32_t kSection = 0x0a0d0d0a;

  std::uint64_t now_us = 1'000'000;
};

TEST_F(ObserveApi, TraceTellsEachWayAndEndsAfterItsCount) {
  EXPECT_EQ(good("trace.start", {{"count", 2}, {"filter", "ether dst 02:00:00:00:00:63"}}),
            (Json{{"count", 2}}));
  arrive(echo());
  arrive(foreign(), 3);
  const auto told = lines(rest());
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0]["method"], "trace.packet");
  EXPECT_EQ(told[0]["params"]["number"], 1);
  EXPECT_EQ(told[0]["params"]["ended"], true);
  EXPECT_EQ(told[0]["params"]["verdict"],
            "dropped: EtherNotForUs: destination address is neither ours, broadcast nor multicast "
            "(ether)");
  const Json& steps = told[0]["params"]["steps"];
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0]["kind"], "received");
  EXPECT_EQ(steps[0]["interface"], "lan0");
  EXPECT_EQ(steps[1]["stage"], "ether_input");
  EXPECT_EQ(steps[2]["drop"]["reason"], "EtherNotForUs");
  EXPECT_EQ(told[2]["method"], "trace.end");
  EXPECT_EQ(told[2]["params"], (Json{{"packets", 2}, {"lost_packets", 0}, {"lost_steps", 0}}));
  EXPECT_EQ(watched(), 0u);
}

TEST_F(ObserveApi, CaptureStreamsAFileUntilTheClientHasEnough) {
  EXPECT_EQ(good("capture.start", {{"interfaces", {"lan0"}}}), (Json{{"format", "pcapng"}}));
  arrive(echo(), 3);
  say("anything");
  const auto found = blocks(rest());
  // The requests; whoever sent them is not known to ARP, so that no reply leaves.
  EXPECT_EQ(found.at(kSection), 1);
  EXPECT_EQ(found.at(1), 1);
  EXPECT_GE(found.at(6), 3);
  EXPECT_EQ(found.at(5), 1);
  EXPECT_EQ(watched(), 0u);
}

TEST_F(ObserveApi, CaptureWithoutPacketsIsAFileTooWithItsInterfaces) {
  (void)good("capture.start", {{"interfaces", {"lan0"}}, {"filter", "port 9"}});
  turn();
  say("");
  say("{}");
  EXPECT_EQ(blocks(rest()), (std::map<std::uint32_t, int>{{kSection, 1}, {1, 1}}));
}

TEST_F(ObserveApi, CaptureAsLines) {
  (void)good("capture.start", {{"drops", true}, {"format", "json"}, {"count", 1}});
  arrive(foreign());
  const auto told = lines(rest());
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0]["method"], "capture.packet");
  EXPECT_EQ(told[0]["params"]["interface"], "lan0");
  EXPECT_EQ(told[0]["params"]["drop"]["reason"], "EtherNotForUs");
  EXPECT_EQ(told[1]["params"], (Json{{"packets", 1}, {"lost", 0}}));
}

TEST_F(ObserveApi, ClientThatGoesAwayEndsItsCapture) {
  (void)good("capture.start", {{"interfaces", {"lan0"}}});
  EXPECT_EQ(watched(), 1u);
  client.reset();
  arrive(echo());
  turn();
  EXPECT_EQ(watched(), 0u);
  (void)good("version");
}

TEST_F(ObserveApi, ClientThatNeverReadsLosesPacketsAndIsKept) {
  (void)good("capture.start",
             {{"interfaces", {"lan0"}}, {"filter", "ether src 02:00:00:00:00:07"}});
  Packet big = ether({.dst = mac(99), .src = mac(7)}, pattern(1500));
  for (int i = 0; i < 4000; ++i) port.push(big);
  while (port.waiting() != 0) turn();
  EXPECT_EQ(server->clients(), 1u);
  say("enough");
  const std::string file = rest();
  const auto found = blocks(file);
  EXPECT_LT(found.at(6), 4000);
  EXPECT_EQ(found.at(5), 1);
  std::uint64_t received, lost;
  std::memcpy(&received, file.data() + file.size() - 28, 8);
  std::memcpy(&lost, file.data() + file.size() - 16, 8);
  EXPECT_EQ(received, 4000u);
  EXPECT_EQ(static_cast<std::uint64_t>(found.at(6)) + lost, 4000u);
}

TEST_F(ObserveApi, BadParametersAreRefusedAndNothingIsWatched) {
  EXPECT_EQ(code(bad("capture.start")), -32000);
  EXPECT_EQ(code(bad("capture.start", {{"interfaces", {"nosuch0"}}})), -32001);
  const auto invalid = [&](const char* method, Json params) {
    return code(bad(method, std::move(params))) == -32602;
  };
  const Json on_lan{{"interfaces", {"lan0"}}};
  const auto with = [&](const char* name, Json value) {
    Json params = on_lan;
    params[name] = std::move(value);
    return params;
  };
  EXPECT_TRUE(invalid("capture.start", with("snaplen", 0)));
  EXPECT_TRUE(invalid("capture.start", with("snaplen", 65536)));
  EXPECT_TRUE(invalid("capture.start", with("snaplen", 1'000'000'000'000)));
  EXPECT_TRUE(invalid("capture.start", with("count", 0)));
  EXPECT_TRUE(invalid("capture.start", with("format", "pcap")));
  EXPECT_TRUE(invalid("capture.start", with("file", "/tmp/x")));
  EXPECT_TRUE(invalid("trace.start", {{"count", 0}}));
  EXPECT_TRUE(invalid("trace.start", {{"count", 1'000'001}}));
  EXPECT_EQ(code(bad("trace.start", {{"filter", "udp and"}})), -32000);
  EXPECT_EQ(code(bad("capture.start", with("filter", "host example.com"))), -32000);
  const Json batch = ask(R"([{"jsonrpc":"2.0","id":1,"method":"trace.start"}])");
  EXPECT_EQ(batch.at(0).at("error").at("code"), -32600);
  EXPECT_EQ(watched(), 0u);
}

TEST(PacketText, SaysWhatTheHeadersSay) {
  using core::Layer;
  const auto text = [](Layer layer, const Packet& p) {
    return polluxd::packet_text(layer, p, static_cast<std::uint32_t>(p.size()));
  };
  EXPECT_EQ(text(Layer::Ethernet, ether({}, ip4_udp({}, {}, pattern(2)))),
            "02:00:00:00:00:01 > 02:00:00:00:00:02, 192.0.2.1 > 198.51.100.1 UDP 1024 > 7, ttl "
            "64, length 44");
  EXPECT_EQ(text(Layer::Ip, ip4_icmp({}, {}, {})),
            "192.0.2.1 > 198.51.100.1 ICMP echo request id 4660 seq 1, ttl 64, length 28");
  EXPECT_EQ(text(Layer::Arp, arp({})), "ARP who has 198.51.100.1 tell 192.0.2.1, length 28");
  EXPECT_EQ(text(Layer::Ip, ip4({.protocol = 50}, from_hex("00001000 00000005"))),
            "192.0.2.1 > 198.51.100.1 ESP spi 0x00001000 seq 5, ttl 64, length 28");
  EXPECT_EQ(text(Layer::Ip, ip4({.more_fragments = true, .fragment_offset = 8}, pattern(8))),
            "192.0.2.1 > 198.51.100.1 protocol 17, fragment at 8+, ttl 64, length 28");
}

TEST(PacketText, EveryPrefixOfAPacketHasAText) {
  const Packet tagged = ether({.type = 0x8100}, from_hex("0005 88a8 0006 0800"));
  Packet whole = tagged;
  const Packet inner = ip4({.protocol = 6, .options = pattern(7)}, pattern(30));
  whole.insert(whole.end(), inner.begin(), inner.end());
  for (const Packet& p : {whole, ether({}, ip4_icmp({}, {}, {})), ether({.type = 0x0806}, arp({}))})
    for (std::size_t n = 0; n <= p.size(); ++n)
      for (const auto layer : {core::Layer::Ethernet, core::Layer::VlanTag, core::Layer::Arp,
                               core::Layer::Ip, core::Layer::Unknown})
        EXPECT_FALSE(polluxd::packet_text(layer, std::span{p}.first(n), 99).empty());
}
}  // namespace
