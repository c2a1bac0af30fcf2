// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace core {
/// The stages of the pipeline in the order in which a packet meets them: name, what it does.
// clang-format off
#define POLLUX_STAGES(X)                                                               \
  X(Rss, "rss", "shares packets out to the workers by flow")                           \
  X(EtherInput, "ether_input", "splits frames by EtherType")                           \
  X(VlanInput, "vlan_input", "takes tags off, finds the interface")                    \
  X(ArpInput, "arp_input", "answers and learns from ARP")                              \
  X(Ip4Input, "ip4_input", "validates IPv4 headers")                                   \
  X(Urpf, "urpf", "asks whether the source is reached by the input interface")        \
  X(Ip4Lookup, "ip4_lookup", "finds the next hop")                                     \
  X(Ip4Local, "ip4_local", "demultiplexes packets for us")                             \
  X(Ip6Input, "ip6_input", "validates IPv6 headers")                                   \
  X(Ip6Lookup, "ip6_lookup", "finds the next hop")                                     \
  X(Ip6Local, "ip6_local", "walks extension headers of packets for us")                \
  X(Reassembly, "reassembly", "puts fragments for us together")                        \
  X(EspInput, "esp_input", "opens ESP")                                                \
  X(Icmp4Input, "icmp4_input", "answers echo requests")                                \
  X(Icmp6Input, "icmp6_input", "answers echo requests")                                \
  X(NdInput, "nd_input", "answers and learns from Neighbour Discovery")                \
  X(IgmpInput, "igmp_input", "learns from queries who asks for members of groups")      \
  X(Deliver, "deliver", "gives datagrams to who listens")                              \
  X(Ip4Forward, "ip4_forward", "decrements TTL, checks the MTU")                       \
  X(Ip6Forward, "ip6_forward", "decrements the hop limit, checks the MTU")             \
  X(Icmp4Error, "icmp4_error", "reports errors to the source")                         \
  X(Icmp6Error, "icmp6_error", "reports errors to the source")                         \
  X(Fragment, "fragment", "cuts packets that the next hop's MTU does not hold")        \
  X(Ip4Output, "ip4_output", "routes packets of our own")                              \
  X(Ip6Output, "ip6_output", "routes packets of our own")                              \
  X(EspOutput, "esp_output", "seals into ESP")                                         \
  X(NeighborHold, "neighbor_hold", "keeps packets while their neighbour is asked for") \
  X(EtherOutput, "ether_output", "writes the Ethernet header")                         \
  X(HandoffInput, "handoff_input", "takes packets from other threads")
// clang-format on

enum class Stage : std::uint8_t {
#define X(name, text, what) name,
  POLLUX_STAGES(X)
#undef X
};

struct StageInfo {
  std::string_view name, what;
};

inline constexpr std::array kStageInfo{
#define X(name, text, what) StageInfo{text, what},
    POLLUX_STAGES(X)
#undef X
};
inline constexpr std::size_t kStages = kStageInfo.size();
}  // namespace core
