// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "apps/polluxd/config_save.hh"
#include "apps/polluxd/configuration.hh"
#include "apps/polluxd/worker_loop.hh"
#include "crypto/sa_slot.hh"
#include "tests/support/packet_pool.hh"

namespace test {
/// The key in a key file of a test: a name has always the same one. "NAME.128" is for
/// aes-gcm-128.
inline core::Expected<crypto::Secret> key_in(const std::string& path) {
  const std::size_t bytes = path.ends_with(".128") ? 20 : 36;
  const std::string file = path.substr(path.rfind('/') + 1);
  std::string hex;
  for (std::size_t i = 0; i < bytes; ++i) {
    constexpr const char* kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned>(file[i % file.size()]) + i;
    hex += kDigits[byte >> 4 & 15];
    hex += kDigits[byte & 15];
  }
  return crypto::Secret::from_hex(hex);
}

/// A real manager with drivers whose devices say nothing, in virtual time, and its configuration.
struct ConfigLab {
  explicit ConfigLab(polluxd::CommandLine line = {})
      : configuration{manager, drivers, {}, std::move(line)} {}
  ~ConfigLab() { manager.shutdown(); }

  /// The configuration in `text`; a failure where it is refused.
  static polluxd::ConfigFile read(const std::string& text) {
    auto file = polluxd::parse_config("c.toml", text, key_in);
    if (file) return *std::move(file);
    ADD_FAILURE() << file.error().context << "\n" << text;
    return {};
  }
  polluxd::ConfigPlan plan(const std::string& text) {
    auto made = configuration.plan(read(text));
    if (made) return *std::move(made);
    ADD_FAILURE() << made.error().context << "\n" << text;
    return {};
  }
  void apply(const std::string& text, std::optional<std::uint32_t> confirm_s = {}) {
    const auto done = configuration.apply(read(text), confirm_s);
    EXPECT_TRUE(done) << done.error().context << "\n" << text;
  }
  /// Why `text` is refused.
  std::string refused(const std::string& text) {
    const auto done = configuration.apply(read(text), std::nullopt);
    EXPECT_FALSE(done) << text;
    return done ? "" : done.error().context;
  }
  /// The lines of a plan, "+ interface lan0: ...".
  static std::vector<std::string> lines(const polluxd::ConfigPlan& plan) {
    std::vector<std::string> all;
    for (const polluxd::ConfigChange& c : plan.changes)
      all.push_back(std::string(1, static_cast<char>(c.sign)) + ' ' + c.group + ' ' + c.name +
                    ": " + c.text);
    return all;
  }
  /// All that there is, in words that do not depend on the order in which it was made.
  std::string state() const {
    std::string text = polluxd::to_toml(manager.configuration());
    std::vector<std::string> names(limits.interfaces);
    for (const polluxd::InterfaceInfo& i : manager.interfaces()) { names[i.id] = i.name; }
    for (const proto::RouteInfo& r : manager.routes())
      text += proto::to_string(r.prefix) + ' ' + std::string{proto::to_string(r.origin)} + ' ' +
              (r.interface == core::kNoInterface ? "" : names[r.interface]) + ' ' +
              (r.gateway ? proto::to_string(*r.gateway) : "") + '\n';
    for (const polluxd::InterfaceSpec& i : manager.configuration().interfaces)
      for (const polluxd::InterfaceInfo& info : manager.interfaces())
        if (info.name == i.name) text += i.name + " mtu " + std::to_string(info.mtu) + '\n';
    for (const polluxd::SaConfig& sa : manager.configuration().sas)
      for (const polluxd::SaTotals& t : manager.sas())
        if (t.info.tunnel == sa.tunnel && t.info.spi == sa.spi && t.info.direction == sa.direction)
          text += std::to_string(sa.spi) + " sequence " + std::to_string(t.info.sequence) + ' ' +
                  proto::to_string(t.info.src) + ' ' + proto::to_string(t.info.dst) + '\n';
    for (const polluxd::UseAgainstLimit& u : manager.usage())
      text += u.table + ' ' + std::to_string(u.used) + '\n';
    return text;
  }

  [[nodiscard]] std::uint64_t sequence(std::uint32_t spi) const {
    for (const polluxd::SaTotals& t : manager.sas())
      if (t.info.spi == spi) return t.info.sequence;
    return ~std::uint64_t{0};
  }
  /// As the workers see it.
  [[nodiscard]] crypto::Sa& sa(std::uint32_t spi) const {
    crypto::SaId id = crypto::kNoSa;
    for (const polluxd::SaTotals& t : manager.sas())
      if (t.info.spi == spi) id = t.info.id;
    return (*manager.published().read().ipsec.sas)[id];
  }

  PacketPool pool;
  core::Rcu rcu{1};
  polluxd::Limits limits;
  polluxd::Shard shard{0, {limits.interfaces, limits.next_hops, limits.sas}, pool.get()};
  std::array<polluxd::Shard*, 1> shards{&shard};
  polluxd::DriverRegistry drivers{{POLLUX_TEST_DRIVERS}};
  polluxd::Manager manager{limits, {rcu, shards, {0}, pool.get(), "config_lab"}, drivers};
  polluxd::Configuration configuration;
};
}  // namespace test
