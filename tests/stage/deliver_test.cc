// SPDX-License-Identifier: BSD-3-Clause
#include "proto/deliver.hh"

#include <atomic>
#include <thread>

#include "core/mbuf.hh"
#include "proto/ip6_local.hh"
#include "tests/stage/stage_lab6.hh"

namespace {
using core::DropReason;
using core::IpAddress;
using core::Stage;
using namespace test;
using proto::Listener;

constexpr std::uint16_t kPort = 4500;

class Deliver : public StageLab6 {
protected:
  void run4(core::Burst& in, bool raw = false) {
    core::NotedBurst<proto::Icmp4Cause> refused;
    (raw ? proto::deliver_raw4 : proto::deliver_udp4)(worker, table, arrival, in, refused);
    collect(refused);
    take();
  }
  void run6(core::Burst& in, bool raw = false) {
    proto::Ip6LocalNext local;
    core::NotedBurst<proto::Ip6Cause> refused;
    core::Worker other{0, 2, pool.get()};  // whose stage counter is nobody's
    proto::ip6_local(other, config6, {.link = kLan}, in, local, refused);
    if (raw)
      proto::deliver_raw6(worker, table, arrival, local.icmp.empty() ? local.raw : local.icmp,
                          refused);
    else
      proto::deliver_udp6(worker, table, arrival, local.udp, refused);
    collect(refused);
    take();
  }
  /// What `listener` has: consumed by the stage, so no way of its own.
  void take() {
    for (Listener* l : {&listener, &second})
      l->take(1000, [&](const proto::Delivered& d) {
        (l == &listener ? got : got_second).push_back(d);
        payloads.push_back(Packet(d.payload_length));
        core::copy_bytes(*d.m, d.payload_at, payloads.back());
        rte_pktmbuf_free(d.m);
      });
  }
  Outcome put4(const Packet& p, bool raw = false) {
    core::Burst in;
    in.push(pool.make(p));
    run4(in, raw);
    return settle(Stage::Deliver, 1);
  }

  proto::ListenerTable table;
  proto::DeliverArrival arrival{.interface = kLan, .vrf = 3};
  Listener listener{1}, second{1};
  std::vector<proto::Delivered> got, got_second;
  std::vector<Packet> payloads;
};

TEST_F(Deliver, Udp4Table) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort}, listener));
  const auto udp = [](proto::UdpEndpoint to, Udp f = {}) {
    f.dst_port = to.port;
    return ip4_udp({}, f, pattern(9));
  };
  using D = DropReason;
  check(Stage::Deliver,
        {
            {.name = "Heard", .packet = udp({.port = kPort}), .next = "consumed"},
            // RFC 768: over IPv4 a checksum of 0 is none.
            {.name = "WithoutChecksum",
             .packet = udp({.port = kPort}, {.checksum = 0}),
             .next = "consumed"},
            {.name = "WrongChecksum",
             .packet = udp({.port = kPort}, {.checksum = 0x1234}),
             .dropped = D::UdpBadChecksum},
            // RFC 1122 section 4.1.3.1.
            {.name = "Unheard", .packet = udp({.port = 9}), .next = "refused UdpNoPort 3/3"},
            {.name = "UnheardWrongChecksum",
             .packet = udp({.port = 9}, {.checksum = 0x1234}),
             .dropped = D::UdpBadChecksum},
            {.name = "Truncated",
             .packet = ip4({.protocol = 17}, pattern(7)),
             .dropped = D::UdpTruncated},
            {.name = "LengthBeyondThePacket",
             .packet = ip4_udp({}, {.length = 18}, pattern(9)),
             .dropped = D::UdpBadLength},
            {.name = "LengthBelowTheHeader",
             .packet = ip4_udp({}, {.length = 7}, pattern(9)),
             .dropped = D::UdpBadLength},
        },
        [&](core::Burst& in) { run4(in); });
}

TEST_F(Deliver, Udp6Table) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort, .ip6 = true}, listener));
  const auto udp = [](std::uint16_t port, Udp f = {}) {
    f.dst_port = port;
    return ip6_udp({}, f, pattern(9));
  };
  using D = DropReason;
  check(Stage::Deliver,
        {
            {.name = "Heard", .packet = udp(kPort), .next = "consumed"},
            // RFC 8200 section 8.1.
            {.name = "WithoutChecksum",
             .packet = udp(kPort, {.checksum = 0}),
             .dropped = D::UdpBadChecksum},
            {.name = "WrongChecksum",
             .packet = udp(kPort, {.checksum = 0x1234}),
             .dropped = D::UdpBadChecksum},
            // RFC 4443 section 3.1, code 4.
            {.name = "Unheard", .packet = udp(9), .next = "refused UdpNoPort 1/4"},
            {.name = "BehindExtensions",
             .packet = ip6_udp({.extensions = {{60, {}}}}, {.dst_port = kPort}, pattern(9)),
             .next = "consumed"},
            {.name = "Truncated",
             .packet = ip6({.next_header = 17}, pattern(7)),
             .dropped = D::UdpTruncated},
            {.name = "BadLength",
             .packet = ip6_udp({}, {.length = 18}, pattern(9)),
             .dropped = D::UdpBadLength},
        },
        [&](core::Burst& in) { run6(in); });
}

TEST_F(Deliver, SaysAllThatIsKnown) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort, .ip6 = true}, listener));
  core::Burst in;
  in.push(pool.make(ip6_udp({.traffic_class = 4, .hop_limit = 9, .extensions = {{60, {}}}},
                            {.src_port = 77, .dst_port = kPort}, pattern(5))));
  run6(in);
  (void)settle(Stage::Deliver, 1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].src, kPeerIp6);
  EXPECT_EQ(got[0].dst, kOurIp6);
  EXPECT_EQ(got[0].interface, kLan);
  EXPECT_EQ(got[0].vrf, 3);
  EXPECT_EQ(got[0].src_port, 77);
  EXPECT_EQ(got[0].dst_port, kPort);
  EXPECT_EQ(got[0].payload_at, 56);
  EXPECT_EQ(got[0].hop_limit, 9);
  EXPECT_EQ(got[0].tos, 4);
  EXPECT_EQ(got[0].at_us, kNow_us);
  EXPECT_EQ(payloads[0], pattern(5));
}

/// What lies behind the UDP length is not the datagram's, nor in the checksum.
TEST_F(Deliver, ShortUdpLengthCuts) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort}, listener));
  Packet p = ip4_udp({}, {.dst_port = kPort}, pattern(9));
  Packet longer = ip4({.protocol = 17}, [&] {
    Packet payload(p.begin() + 20, p.end());
    payload.insert(payload.end(), {0xde, 0xad, 0xbe});
    return payload;
  }());
  EXPECT_EQ(put4(longer).consumed, 1u);
  EXPECT_EQ(payloads.at(0), pattern(9));
}

TEST_F(Deliver, ChecksumGoesOverAllSegments) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort}, listener));
  for (std::size_t first = 28; first < 34; ++first) {
    Packet p = ip4_udp({}, {.dst_port = kPort}, pattern(301));
    core::Burst in;
    in.push(pool.make_chained(p, first));
    p.back() ^= 1;
    in.push(pool.make_chained(p, first));
    run4(in);
    const Outcome o = settle(Stage::Deliver, 2);
    EXPECT_EQ(o.consumed, 1u);
    EXPECT_EQ(o.dropped, (Drops{{"UdpBadChecksum", 1}}));
    EXPECT_EQ(payloads.back(), pattern(301));
  }
}

TEST_F(Deliver, WhatWeSayOurselvesIsTrusted) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort}, listener));
  arrival.trusted = true;
  EXPECT_EQ(put4(ip4_udp({}, {.dst_port = kPort, .checksum = 0x1234}, pattern(9))).consumed, 1u);
}

TEST_F(Deliver, MostSpecificWins) {
  Listener all[4] = {Listener{1}, Listener{1}, Listener{1}, Listener{1}};
  const auto at = [&](std::uint16_t vrf, IpAddress a) {
    return proto::UdpEndpoint{.port = kPort, .vrf = vrf, .address = a};
  };
  ASSERT_TRUE(table.add(at(proto::kAnyVrf, {}), all[0]));
  EXPECT_EQ(table.find_udp(at(3, kOurIp)), &all[0]);
  ASSERT_TRUE(table.add(at(proto::kAnyVrf, kOurIp), all[1]));
  EXPECT_EQ(table.find_udp(at(3, kOurIp)), &all[1]);
  ASSERT_TRUE(table.add(at(3, {}), all[2]));
  EXPECT_EQ(table.find_udp(at(3, kOurIp)), &all[2]);
  ASSERT_TRUE(table.add(at(3, kOurIp), all[3]));
  EXPECT_EQ(table.find_udp(at(3, kOurIp)), &all[3]);
  EXPECT_EQ(table.find_udp(at(4, kOurIp)), &all[1]);
  EXPECT_EQ(table.find_udp(at(4, kPeerIp)), &all[0]);
  EXPECT_FALSE(table.add(at(3, kOurIp), all[0])) << "taken";
  EXPECT_EQ(table.find_udp({.port = kPort, .ip6 = true, .vrf = 3, .address = kOurIp6}), nullptr);
  table.remove(all[3]);
  EXPECT_EQ(table.find_udp(at(3, kOurIp)), &all[2]);
}

TEST_F(Deliver, FullQueueIsCounted) {
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort}, listener));
  proto::Delivered waiting;
  for (std::size_t n = 0; n < Listener::kDepth; ++n) {
    waiting.m = rte_pktmbuf_alloc(pool.get());
    ASSERT_TRUE(listener.push(0, waiting));
  }
  core::NotedBurst<proto::Icmp4Cause> refused;
  core::Burst in;
  in.push(pool.make(ip4_udp({}, {.dst_port = kPort}, pattern(9))));
  proto::deliver_udp4(worker, table, arrival, in, refused);
  listener.drain();
  EXPECT_EQ(settle(Stage::Deliver, 1).dropped, (Drops{{"DeliverFull", 1}}));
}

TEST_F(Deliver, RawTable) {
  proto::RawEndpoint errors{.protocol = 1};
  errors.types.set(3);
  errors.types.set(0);
  table.add(errors, listener);
  table.add(proto::RawEndpoint{.protocol = 89}, listener);
  const auto icmp = [](std::uint8_t type) { return ip4_icmp({}, {.type = type}, pattern(28)); };
  using D = DropReason;
  check(Stage::Deliver,
        {
            {.name = "WantedType", .packet = icmp(3), .next = "consumed"},
            {.name = "OtherError", .packet = icmp(11), .next = "consumed"},
            {.name = "OtherType", .packet = icmp(13), .dropped = D::Icmp4UnknownType},
            {.name = "WantedProtocol",
             .packet = ip4({.protocol = 89}, pattern(20)),
             .next = "consumed"},
            // RFC 1122 section 3.2.2.1.
            {.name = "OtherProtocol",
             .packet = ip4({.protocol = 6}, pattern(20)),
             .next = "refused Ip4NoProtocol 3/2"},
            {.name = "Empty", .packet = ip4({.protocol = 89}, {}), .next = "consumed"},
        },
        [&](core::Burst& in) { run4(in, true); });
  EXPECT_EQ(got.size(), 9u) << "three lines were for it, three packets each";
  arrival.group = true;
  check(Stage::Deliver,
        {{.name = "ToAll", .packet = ip4({.protocol = 6}, {}), .dropped = D::Ip4NoProtocol}},
        [&](core::Burst& in) { run4(in, true); });
}

TEST_F(Deliver, Raw6Table) {
  proto::RawEndpoint replies{.protocol = 58, .ip6 = true};
  replies.types.set(129);
  table.add(replies, listener);
  table.add(proto::RawEndpoint{.protocol = 89, .ip6 = true}, listener);
  const auto carrying = [](std::uint8_t protocol, std::vector<Extension6> extensions = {}) {
    return ip6({.next_header = protocol, .extensions = std::move(extensions)}, pattern(24));
  };
  using D = DropReason;
  check(Stage::Deliver,
        {
            {.name = "WantedType", .packet = ip6_icmp({}, {.type = 129}, {}), .next = "consumed"},
            {.name = "Error", .packet = ip6_icmp({}, {.type = 1}, {}), .next = "consumed"},
            {.name = "UnknownType",  // RFC 4443 section 2.4 (b)
             .packet = ip6_icmp({}, {.type = 200}, {}),
             .dropped = D::Icmp6UnknownType},
            {.name = "WantedProtocol", .packet = carrying(89), .next = "consumed"},
            // RFC 8200 section 4: an unknown Next Header is told with its place.
            {.name = "Tcp", .packet = carrying(6), .next = "refused Ip6UnknownNextHeader 4/1, 6"},
            {.name = "Behind",
             .packet = carrying(51, {{60, {}}}),
             .next = "refused Ip6UnknownNextHeader 4/1, 40"},
        },
        [&](core::Burst& in) { run6(in, true); });
  EXPECT_EQ(got.size(), 6u);
}

TEST_F(Deliver, AllRawListenersGetThePacket) {
  table.add(proto::RawEndpoint{.protocol = 89}, listener);
  table.add(proto::RawEndpoint{.protocol = 89, .vrf = 3}, second);
  table.add(proto::RawEndpoint{.protocol = 89, .vrf = 4}, second);
  const Outcome o = put4(ip4({.protocol = 89}, pattern(20)), true);
  EXPECT_EQ(o.consumed, 2u);
  EXPECT_EQ(o.originated, 1u);
  EXPECT_EQ(payloads, (std::vector{pattern(20), pattern(20)}));
  EXPECT_EQ(got.size(), 1u);
  EXPECT_EQ(got_second.size(), 1u);
}

TEST_F(Deliver, BroadcastsAreNeverRefused) {  // RFC 1122 section 3.2.2
  arrival.group = true;
  EXPECT_EQ(put4(ip4_udp({}, {}, {})).dropped, (Drops{{"UdpNoPort", 1}}));
}

/// A worker pushes while the listening thread takes; then it goes, and nothing is lost.
TEST_F(Deliver, WorkerAndListenerThread) {
  constexpr std::uint64_t kPackets = 20'000;
  auto here = std::make_unique<Listener>(1);
  ASSERT_TRUE(table.add(proto::UdpEndpoint{.port = kPort}, *here));
  std::atomic<bool> stop{false};
  std::uint64_t heard = 0, last = 0;
  bool in_order = true;
  std::thread listening{[&] {
    const auto one = [&](const proto::Delivered& d) {
      in_order = in_order && d.at_us > last;
      last = d.at_us;
      ++heard;
      rte_pktmbuf_free(d.m);
    };
    while (!stop.load(std::memory_order_acquire)) (void)here->take(64, one);
  }};
  const Packet p = ip4_udp({}, {.dst_port = kPort}, pattern(9));
  for (std::uint64_t n = 0; n < kPackets; ++n) {
    ++worker.now_us;
    core::Burst in;
    in.push(pool.make(p));
    core::NotedBurst<proto::Icmp4Cause> refused;
    proto::deliver_udp4(worker, table, arrival, in, refused);
    EXPECT_TRUE(refused.empty());
  }
  stop.store(true, std::memory_order_release);
  listening.join();
  std::uint64_t left = 0;
  while (here->take(1, [&](const proto::Delivered& d) { rte_pktmbuf_free(d.m); }) != 0) ++left;
  here.reset();
  const Outcome o = settle(Stage::Deliver, kPackets);
  const auto full = o.dropped.find("DeliverFull");
  EXPECT_EQ(heard + left, o.consumed);
  EXPECT_EQ(o.consumed + (full == o.dropped.end() ? 0 : full->second), kPackets);
  EXPECT_TRUE(in_order);
}
}  // namespace
