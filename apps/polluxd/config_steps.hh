// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>

#include "apps/polluxd/config_plan.hh"

// Private to config_plan*.cc: the steps of a plan, each with its inverse.
namespace polluxd {
/// What each step does is one request of the manager, and its inverse is another.
class ConfigSteps {
public:
  ConfigSteps(Manager& manager, std::vector<ConfigStep>& to) : m_{manager}, to_{to} {}
  /// The place in the file for the steps from here on.
  void at(ConfigPlace place) { place_ = std::move(place); }

  void add(const VrfSpec& vrf);
  void remove(const VrfSpec& running);
  void create(const InterfaceSpec& spec);
  void destroy(const InterfaceSpec& running);
  void add_address(const std::string& name, proto::IpPrefix address);
  void delete_address(const std::string& name, proto::IpPrefix address);
  void order_addresses(const std::string& name, const std::vector<proto::IpPrefix>& order);
  void set_up(const std::string& name, bool up);
  void set_promiscuous(const std::string& name, bool on);
  void set_software_rss(const std::string& name, bool on);
  void set_urpf(const std::string& name, core::Interface::Urpf from, core::Interface::Urpf to);
  void set_autoconf(const std::string& name, bool on);
  void set_group(const std::string& name, const core::IpAddress& group, bool joined);
  void set_rtadv(const std::string& name, const RtadvSpec& now, const RtadvSpec& then);
  /// What is asked for; 0: the default.
  struct Mtu {
    std::string name;
    std::uint16_t from, to;
  };
  /// All at once: a VLAN carries at most what its carrier does, on the way there as on the way
  /// back.
  /// @param mtus  carriers before what stands on them.
  void set_mtus(const std::vector<Mtu>& mtus);
  void create(const TunnelConfig& spec);
  void destroy(const TunnelConfig& running);
  void set_selectors(const TunnelConfig& running, const std::vector<crypto::Selector>& to);
  /// @param wanted  lives as long as the plan.
  void add(const SaConfig& wanted);
  void remove(const SaConfig& running);
  void order_outbound(const std::string& tunnel, const std::vector<std::uint32_t>& to);
  void add(const RouteSpec& route);
  void remove(const RouteSpec& route);
  void add(const NeighborSpec& neighbor);
  void replace(const NeighborSpec& running, const NeighborSpec& neighbor);
  void remove(const NeighborSpec& neighbor);
  void set_sysctl(const std::string& name, std::int64_t from, std::int64_t to);

private:
  using Request = std::function<core::Expected<>()>;
  void step(std::string what, Request request, Request inverse);

  Manager& m_;
  std::vector<ConfigStep>& to_;
  ConfigPlace place_;
};

[[nodiscard]] std::string route_name(const RouteSpec& route);
[[nodiscard]] std::string sa_name(const SaConfig& sa);
[[nodiscard]] std::string neighbor_name(const NeighborSpec& neighbor);
}  // namespace polluxd
