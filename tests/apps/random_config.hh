// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

namespace test {
/// Configurations at random that can be applied, made of few names and numbers, so that two of them
/// share some.
class RandomConfig {
public:
  /// @param groups  with routes of several next hops, and recursive ones: what those have found
  /// follows a change only at the manager's next look.
  RandomConfig(std::uint32_t seed, bool groups) : random_{seed}, groups_{groups} {}

  std::string next() {
    text_.clear();
    subnets_.clear();
    tunnels_.clear();
    moving_ = false;
    if (one_in(2)) text_ += fmt::format("[sysctl]\n\"net.inet.ip.ttl\" = {}\n", 60 + below(3));
    for (unsigned n = 0; n < 4; ++n)
      if (!one_in(3)) interface(n);
    for (unsigned n = 0; n < 3; ++n)
      if (one_in(2)) tunnel(n);
    for (unsigned n = 0; n < 6; ++n) route(n);
    for (const Subnet& s : subnets_)
      if (one_in(2))
        text_ += fmt::format(
            "[[neighbor]]\ninterface = \"{}\"\naddress = \"10.{}.0.9\"\nmac = "
            "\"02:00:00:00:00:0{}\"\n",
            s.interface, s.number, 1 + below(3));
    return text_;
  }

private:
  struct Subnet {
    std::string interface;
    unsigned number;
  };
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool one_in(unsigned n) { return below(n) == 0; }

  /// Of subnet 10.N.0.0/24 one or two; each subnet is on one interface only.
  std::string addresses(const std::string& interface) {
    std::string list;
    for (unsigned n = 1; n < 8; ++n) {
      const bool taken =
          std::ranges::any_of(subnets_, [&](const Subnet& s) { return s.number == n; });
      if (taken || !one_in(4)) continue;
      subnets_.push_back({interface, n});
      std::vector<unsigned> hosts{1};
      if (one_in(2)) hosts = one_in(2) ? std::vector{1u, 2u} : std::vector{2u, 1u};
      if (one_in(4)) hosts = {3};
      for (const unsigned host : hosts)
        list += fmt::format("{}\"10.{}.0.{}/{}\"", list.empty() ? "" : ", ", n, host,
                            one_in(5) ? 25 : 24);
    }
    return list;
  }
  void interface(unsigned n) {
    const std::string name = fmt::format("if{}", n);
    text_ += fmt::format(
        "[[interface]]\ndriver = \"idle\"\nname = \"{}\"\noptions = {{device = \"d{}\"}}\naddress "
        "= "
        "[{}]\n",
        name, one_in(3) ? 4 + n : n, addresses(name));
    unsigned carries = 1500;
    if (one_in(3)) text_ += fmt::format("mtu = {}\n", carries = 1400 + 50 * below(3));
    if (one_in(4)) text_ += "up = false\n";
    if (one_in(4)) text_ += "promiscuous = true\n";
    if (one_in(4)) text_ += "rss = \"off\"\n";
    if (one_in(3))
      text_ += fmt::format("groups = [\"239.0.0.{}\", \"ff05::{}\"]\n", below(3), 2 + below(2));
    if (!one_in(2)) return;
    const std::string vlan = fmt::format("v{}", n);
    text_ += fmt::format(
        "[[interface]]\ndriver = \"vlan\"\nname = \"{}\"\noptions = {{parent = \"{}\", id = {}}}\n"
        "address = [{}]\n",
        vlan, name, 10 + below(2), addresses(vlan));
    if (one_in(2)) text_ += fmt::format("mtu = {}\n", carries - 100 * below(2));
  }
  void tunnel(unsigned n) {
    const std::string name = fmt::format("t{}", n);
    tunnels_.push_back(name);
    text_ +=
        fmt::format("[[tunnel]]\nname = \"{}\"\nlocal = \"192.0.2.1\"\nremote = \"192.0.2.{}\"\n",
                    name, 10 + below(2));
    if (one_in(2)) text_ += fmt::format("mtu = {}\n", 1300 + 50 * below(2));
    if (one_in(2)) text_ += fmt::format("address = \"172.16.{}.1/30\"\n", n);
    if (one_in(4)) text_ += "up = false\n";
    if (one_in(2)) text_ += "selectors = [{local = \"10.0.0.0/8\", remote = \"default\"}]\n";
    std::vector<unsigned> out{1, 2, 3};
    std::ranges::shuffle(out, random_);
    out.resize(below(4));
    for (const unsigned spi : out) association(name, "out", 0x1000 + spi);
    for (unsigned i = 0; i < 3; ++i)
      if (one_in(2)) association(name, "in", 0x2000 + 3 * n + i);
    if (!moving_ && one_in(2)) {  // it goes from tunnel to tunnel
      moving_ = true;
      association(name, "in", 0x3000);
    }
  }
  void association(const std::string& tunnel, const char* direction, unsigned spi) {
    const bool small = one_in(3);
    text_ += fmt::format(
        "[[sa]]\ntunnel = \"{}\"\ndirection = \"{}\"\nspi = {}\nalgorithm = \"aes-gcm-{}\"\n"
        "key_file = \"/k/key{}.{}\"\n",
        tunnel, direction, spi, small ? 128 : 256, below(2), small ? 128 : 256);
    if (direction[0] == 'i' && one_in(3)) text_ += "replay_window = 64\n";
  }
  void route(unsigned n) {
    if (one_in(3)) return;
    text_ += fmt::format("[[route]]\nprefix = \"10.{}.0.0/16\"\n", 100 + n);
    const unsigned kind = below(groups_ ? 6 : 4);
    if (kind == 0 || subnets_.empty()) {
      constexpr std::array kKinds{"blackhole", "prohibit", "unreachable", "local"};
      text_ += fmt::format("kind = \"{}\"\n", kKinds[below(kKinds.size())]);
    } else if (kind == 4) {
      text_ += fmt::format("via = \"10.{}.0.9\"\nrecursive = true\n", below(250));
    } else if (kind == 5) {
      text_ += "nexthops = [";
      for (unsigned i = 0; i < 2; ++i) text_ += next_hop(i);
      text_ += "]\n";
    } else if (kind == 1 && !tunnels_.empty()) {
      text_ += fmt::format("interface = \"{}\"\n",
                           tunnels_[below(static_cast<unsigned>(tunnels_.size()))]);
    } else {
      const Subnet& s = subnets_[below(static_cast<unsigned>(subnets_.size()))];
      if (kind == 2)
        text_ += fmt::format("interface = \"{}\"\n", s.interface);
      else
        text_ += fmt::format("via = \"10.{}.0.7{}\"\n", s.number, below(2));
    }
  }
  std::string next_hop(unsigned i) {
    const Subnet& s = subnets_[below(static_cast<unsigned>(subnets_.size()))];
    return fmt::format("{}{{ via = \"10.{}.0.{}\"{}, weight = {} }}", i == 0 ? "" : ", ", s.number,
                       7 + i, one_in(2) ? fmt::format(", interface = \"{}\"", s.interface) : "",
                       1 + below(3));
  }

  std::mt19937 random_;
  bool groups_;
  std::string text_;
  std::vector<Subnet> subnets_;
  std::vector<std::string> tunnels_;
  bool moving_ = false;
};
}  // namespace test
