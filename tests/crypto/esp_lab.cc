// SPDX-License-Identifier: BSD-3-Clause
#include "tests/crypto/esp_lab.hh"

#include <cstring>

namespace test {
namespace {
const std::string kKey128 = "000102030405060708090a0b0c0d0e0f";
const std::string kSalt = "a0a1a2a3";

std::string keymat(crypto::Algorithm a) {
  return a == crypto::Algorithm::AesGcm128 ? kKey128 + kSalt : kKey128 + kKey128 + kSalt;
}

void put_be(Packet& to, std::uint64_t value, int bytes) {
  while (bytes-- > 0) to.push_back(static_cast<std::uint8_t>(value >> 8 * bytes));
}
}  // namespace

Drops drops_of(const core::Worker& w) {
  Drops drops;
  for (std::size_t i = 0; i < core::kDropReasons; ++i)
    if (const std::uint64_t n = w.drops[i].read(); n != 0)
      drops[static_cast<core::DropReason>(i)] = n;
  return drops;
}

EspLab::EspLab(crypto::Algorithm a, std::uint32_t window) : algorithm{a} {
  config.sas = sas.get();
  config.tunnels.resize(3);  // the last slot stays unused
  config.tunnels[kLeft] = {.interface = kLeftInterface,
                           .outbound = crypto::kNoSa,
                           .local = kLeftIp,
                           .remote = kRightIp,
                           .selectors = {}};
  config.tunnels[kRight] = {.interface = kRightInterface,
                            .outbound = crypto::kNoSa,
                            .local = kRightIp,
                            .remote = kLeftIp,
                            .selectors = {}};
  out = add_sa(crypto::Direction::Out, kSpi);
  in = add_sa(crypto::Direction::In, kSpi, window);
  config.tunnels[kLeft].outbound = out;
}

EspLab::~EspLab() {
  EXPECT_EQ(pool.in_use(), 0u) << "a packet was lost";
}

crypto::SaId EspLab::add_sa(crypto::Direction direction, std::uint32_t spi, std::uint32_t window) {
  crypto::SaSpec spec;
  spec.tunnel = "ipsec0";
  spec.direction = direction;
  spec.spi = spi;
  spec.algorithm = algorithm;
  spec.key = std::move(*crypto::Secret::from_hex(keymat(algorithm)));
  spec.replay_window = window;
  const auto id =
      sas->add(spec, direction == crypto::Direction::Out ? kLeft : kRight, kLeftIp, kRightIp);
  EXPECT_TRUE(id);
  return *id;
}

Ip4 EspLab::inner_header() {
  return {.src = ip("10.1.0.1"), .dst = ip("10.2.0.1")};
}

Packet EspLab::inner(std::size_t length, Ip4 header) {
  return ip4(header, pattern(length - 20));
}

Packet EspLab::seal(const Sealed& s) {
  Packet text = s.payload;
  if (s.trailer) {
    text.insert(text.end(), s.trailer->begin(), s.trailer->end());
  } else {
    std::uint8_t pad = 0;
    while ((text.size() + 2) % 4 != 0) text.push_back(++pad);
    text.push_back(pad);
    text.push_back(s.next_header);
  }
  Packet esp;
  put_be(esp, s.spi, 4);
  put_be(esp, s.sequence, 4);
  put_be(esp, 0x0123456700000000 + s.sequence, 8);

  const Packet key = from_hex(keymat(algorithm));
  crypto::MbEngine engine;
  crypto::GcmKey expanded{};
  engine.expand(algorithm, std::span{key}.first(key.size() - 4), expanded);
  std::uint32_t salt;
  std::memcpy(&salt, key.data() + key.size() - 4, 4);
  Packet icv(crypto::MbEngine::kIcvSize);
  engine.seal(algorithm, expanded, {salt, crypto::load_native64(esp.data() + 8)},
              std::span{esp}.first(8), text, icv.data());
  esp.insert(esp.end(), text.begin(), text.end());
  esp.insert(esp.end(), icv.begin(), icv.end());
  return ip4(s.outer, esp);
}

std::vector<Packet> EspLab::open(const std::vector<Packet>& packets) {
  std::vector<Packet> passed;
  for (std::size_t at = 0; at < packets.size(); at += core::Burst::kCapacity) {
    core::Burst burst;
    crypto::EspInputNext next;
    core::Burst& opened = next.inner;
    for (std::size_t i = at; i < std::min(packets.size(), at + core::Burst::kCapacity); ++i)
      burst.push(pool.make(packets[i]));
    crypto::esp_input(right, right_esp, config, 0, burst, next);
    EXPECT_TRUE(burst.empty());
    for (rte_mbuf* m : opened.take()) passed.push_back(take_bytes(m));
  }
  return passed;
}

std::vector<Packet> EspLab::send(const std::vector<Packet>& packets, std::uint16_t tunnel) {
  std::vector<Packet> sealed;
  for (std::size_t at = 0; at < packets.size(); at += core::Burst::kCapacity) {
    core::NotedBurst<std::uint16_t> burst;
    core::Burst outer;
    for (std::size_t i = at; i < std::min(packets.size(), at + core::Burst::kCapacity); ++i)
      burst.push(pool.make(packets[i]), tunnel);
    crypto::esp_output(left, left_esp, config, burst, outer);
    EXPECT_TRUE(burst.empty());
    for (rte_mbuf* m : outer.take()) sealed.push_back(take_bytes(m));
  }
  return sealed;
}
}  // namespace test
