// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "apps/polluxd/config_check.hh"
#include "apps/polluxd/config_steps.hh"

// Private to config_plan*.cc.
namespace polluxd {
/// Finds the differences and the steps that take them away.
///
/// First comes what takes no room from anything: addresses that nobody has, so that what leans on a
/// subnet stays while its address is exchanged. Then what goes, in the reverse order of what leans
/// on what: neighbours, routes, SAs of tunnels that go, tunnels, addresses, interfaces. Then what
/// comes: sysctls, interfaces, tunnels, SAs (a new one before the one that it takes over from
/// goes), routes, neighbours. What stays but leans on something that goes is made anew.
class ConfigPlanner {
public:
  ConfigPlanner(Manager& manager, const Config& now, const ConfigFile& file,
                const DriverRegistry& drivers, ConfigPlan& plan)
      : m_{manager},
        now_{now},
        file_{file},
        want_{file.config},
        drivers_{drivers},
        plan_{plan},
        steps_{manager, plan.steps} {}
  void run();

private:
  using Sign = ConfigChange::Sign;
  using Addresses = std::vector<proto::IpPrefix>;
  using Groups = std::vector<core::IpAddress>;
  using RouteKey = std::pair<std::string, proto::IpPrefix>;  ///< VRF, prefix
  using SaKey = std::tuple<std::string, crypto::Direction, std::uint32_t>;
  /// What stays, an interface or a tunnel: its addresses now and then.
  struct Face {
    Addresses now, then;
    Addresses stay;      ///< now and then, or added before anything goes
    bool loses = false;  ///< a subnet on which a route may lie without a gateway
    bool tunnel = false;
  };

  void index();
  // config_planner.cc: what goes and what comes
  void find_kept_vrfs();
  void find_kept();
  void keep_face(const std::string& name, const Addresses& now, const Addresses& then, bool tunnel);
  void early_addresses();
  void remove_neighbors();
  void remove_routes();
  void delete_addresses();
  void destroy_interfaces();
  void destroy_vrfs();
  void create_vrfs();
  void change_sysctls();
  void create_interfaces();
  void add_routes();
  void add_neighbors();
  [[nodiscard]] bool is_stranded(const std::string& interface,
                                 const core::IpAddress& address) const;
  [[nodiscard]] bool is_lost(const RouteSpec& running) const;
  // config_planner_change.cc: what stays and changes
  void change_faces();
  void change_mtus();
  void change_interface(const InterfaceSpec& now, std::size_t n);
  void change_groups(const InterfaceSpec& now, const InterfaceSpec& then, std::string& text);
  void change_tunnel(const TunnelConfig& now, std::size_t n);
  std::string change_addresses(const std::string& name);
  void remade_interface(const InterfaceSpec& now, const InterfaceSpec& then);
  // config_planner_ipsec.cc
  void park_sas();
  void destroy_tunnels();
  void create_tunnels();
  void exchange_sas();
  void order_sas();
  [[nodiscard]] std::string sa_difference(const SaConfig& now, const SaConfig& then) const;

  void change(Sign sign, const char* group, std::string name, std::string text) {
    plan_.changes.push_back({sign, group, std::move(name), std::move(text)});
  }
  static ConfigPlace place(const std::vector<ConfigPlace>& places, std::size_t n) {
    return n < places.size() ? places[n] : ConfigPlace{};
  }
  static SaKey key_of(const SaConfig& sa) { return {sa.tunnel, sa.direction, sa.spi}; }

  Manager& m_;
  const Config& now_;
  const ConfigFile& file_;
  const Config& want_;
  const DriverRegistry& drivers_;
  ConfigPlan& plan_;
  ConfigSteps steps_;

  std::map<std::string, const InterfaceSpec*> interfaces_, wanted_interfaces_;
  std::map<std::string, const TunnelConfig*> tunnels_, wanted_tunnels_;
  std::map<RouteKey, const RouteSpec*> routes_, wanted_routes_;
  std::map<std::pair<std::string, core::IpAddress>, const NeighborSpec*> neighbors_,
      wanted_neighbors_;
  std::map<SaKey, const SaConfig*> sas_, wanted_sas_;
  std::map<SaKey, crypto::SaId> sa_ids_;
  std::map<std::string, Face> kept_;  ///< interfaces and tunnels that stay
  std::set<std::string> kept_vrfs_;   ///< names; "" for the default one
  std::set<RouteKey> lost_routes_;    ///< wanted, but made anew
  std::set<std::pair<std::string, core::IpAddress>> lost_neighbors_;
  std::set<SaKey> removed_sas_;  ///< by a step so far
};

/// What of the process's part differs, as texts.
void compare_process(const ProcessConfig& now, const ProcessConfig& then,
                     std::vector<std::string>& restart);

// Texts for people.
[[nodiscard]] std::string describe(const InterfaceSpec& spec);
[[nodiscard]] std::string describe(const TunnelConfig& spec);
[[nodiscard]] std::string describe(const SaConfig& sa);
[[nodiscard]] std::string describe(const RouteSpec& route);
[[nodiscard]] std::string describe_mtu(std::uint16_t mtu);
}  // namespace polluxd
