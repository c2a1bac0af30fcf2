// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/interface.hh"
#include "core/mac_address.hh"
#include "crypto/ipsec.hh"
#include "crypto/sa.hh"
#include "proto/wire/ip_address.hh"

/// What the configuration file, the command line and the API ask the manager for: plain values,
/// syntax checked, meaning not yet.
namespace polluxd {
/// A prefix of which a router tells the hosts of its link (RFC 4861 section 4.6.2).
struct AdvertisedPrefixSpec {
  proto::IpPrefix prefix{};
  std::uint32_t valid_s = 2'592'000, preferred_s = 604'800;  ///< 0xffffffff: for ever
  bool on_link = true, autonomous = true;
  friend bool operator==(const AdvertisedPrefixSpec&, const AdvertisedPrefixSpec&) = default;
};

/// What a router says of itself and of its link (RFC 4861 section 6.2.1).
struct RtadvSpec {
  static constexpr std::size_t kMaxPrefixes = 16;
  bool enabled = false;
  std::uint32_t interval_s = 600;   ///< MaxRtrAdvInterval
  std::uint32_t lifetime_s = 1800;  ///< 0: no default router
  bool managed = false, other = false;
  std::uint32_t mtu = 0;                            ///< 0: not said
  std::uint32_t hop_limit = 64;                     ///< 0: not said
  std::uint32_t reachable_ms = 0, retrans_ms = 0;   ///< 0: not said
  std::vector<AdvertisedPrefixSpec> prefixes = {};  ///< none: those of our addresses there
  friend bool operator==(const RtadvSpec&, const RtadvSpec&) = default;
};

struct InterfaceSpec {
  std::string driver;  ///< unique part of a driver's name, or a path
  std::vector<std::pair<std::string, std::string>> options;  ///< without name=
  std::string name;                                          ///< empty: numbered by driver type
  std::vector<proto::IpPrefix> addresses;
  std::uint16_t mtu = 0;  ///< bytes of IP packet; 0: the device's default
  bool up = true;
  bool promiscuous = false;
  std::string vrf{};  ///< whose routes what arrives follows; empty: the default one
  core::Interface::Urpf urpf = core::Interface::Urpf::Off;
  bool software_rss = true;  ///< where the device has fewer queues than there are workers
  std::vector<core::IpAddress> groups{};  ///< multicast groups to join, each once
  bool autoconf = false;  ///< IPv6 addresses and routes as routers of the link say (RFC 4862)
  RtadvSpec rtadv = {};
};

/// One of several ways that share a route's flows.
struct RouteNextHop {
  std::optional<core::IpAddress> gateway{};  ///< this, `interface` or both
  std::string interface {};
  std::uint32_t weight = 1;  ///< 1 to 65535
  friend auto operator<=>(const RouteNextHop&, const RouteNextHop&) = default;
};

struct RouteSpec {
  enum class Kind : std::uint8_t {
    Unicast,
    Blackhole,    ///< drop, say nothing
    Prohibit,     ///< drop, tell the source that it is forbidden
    Unreachable,  ///< drop, tell the source that there is no way; BSD's reject
    Local,        ///< ours, like an address of ours
  };
  proto::IpPrefix prefix{};
  Kind kind = Kind::Unicast;
  std::optional<core::IpAddress> gateway{};  ///< Unicast needs this, `interface` or both
  std::string interface = {};                ///< a tunnel, or the link on which the gateway is
  std::vector<RouteNextHop> next_hops = {};  ///< two or more, then no `gateway` and no `interface`
  bool recursive = false;  ///< gateways may be anywhere; the way to them is another route's
  std::string vrf = {};    ///< whose route it is; empty: the default one's
};

/// A routing table of its own (virtual routing and forwarding).
struct VrfSpec {
  std::string name;
  std::uint16_t id = 0;  ///< 1 to limits.vrfs; 0: the lowest that is free
};
inline constexpr const char* kDefaultVrf = "default";  ///< the name of VRF 0

struct NeighborSpec {
  std::string interface {};
  core::IpAddress address{};
  core::MacAddress mac{};
};

/// Sizes of everything that has one. Small by default.
struct Limits {
  std::uint32_t mbufs = 8192;      ///< packet buffers in the pool
  std::uint32_t mbuf_size = 2048;  ///< bytes of packet data in each, without headroom
  std::uint32_t interfaces = 64;
  std::uint32_t routes = 4096;
  std::uint32_t route_groups = 256;  ///< /24s that hold a longer prefix (neighbours are /32s)
  std::uint32_t routes6 = 4096;
  std::uint32_t route_groups6 = 8192;  ///< blocks of 256 IPv6 entries: up to 13 a /128, 5 a /64
  std::uint32_t next_hops = 1024;      ///< beyond 32767 each FIB takes 32 MiB more
  std::uint32_t next_hop_groups = 64;  ///< sets of next hops of ECMP and recursive routes
  std::uint32_t neighbors = 512;
  std::uint32_t vrfs = 16;           ///< beside the default one
  std::uint32_t vrf_routes = 1024;   ///< of each of these VRFs, and of each family
  std::uint32_t vrf_groups = 16384;  ///< blocks of 256 entries for all of them: 1 KiB in use each
  std::uint32_t tunnels = 64;
  std::uint32_t sas = 256;
};

inline constexpr std::uint32_t kMaxWorkers = 64;
inline constexpr std::uint32_t kMaxCpu = 1023;

/// What is settled when the daemon starts and stays until its end.
struct ProcessConfig {
  Limits limits;
  std::uint32_t workers = 1;
  std::vector<unsigned> cpus;         ///< by worker; empty: chosen from the process's affinity
  std::uint32_t idle_sleep_us = 500;  ///< longest sleep of an idle worker; 0: never sleeps
  std::string socket_directory = "/run/pollux";
  std::vector<std::string> driver_path;  ///< folders searched before the built-in ones
  std::vector<std::string> eal_args;     ///< handed to the EAL as they are
};

struct TunnelConfig : crypto::TunnelSpec {
  std::vector<proto::IpPrefix> addresses;
  bool up = true;
  std::string overlay_vrf = {};  ///< that the inner packets are in; empty: the default one
};
struct SaConfig : crypto::SaSpec {
  std::string key_file;  ///< where the key comes from; empty: it was given over the API
};

/// The configuration file, whole; or what of it runs.
struct Config : ProcessConfig {
  std::vector<VrfSpec> vrfs;
  std::vector<InterfaceSpec> interfaces;
  std::vector<TunnelConfig> tunnels;
  std::vector<SaConfig> sas;  ///< of one tunnel, outbound: the last one is in use
  std::vector<RouteSpec> routes;
  std::vector<NeighborSpec> neighbors;
  std::vector<std::pair<std::string, std::int64_t>> sysctls;
};
}  // namespace polluxd
