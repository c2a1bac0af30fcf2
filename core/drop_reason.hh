// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace core {
/// Every way a packet can end other than by being sent or delivered: name, layer, the condition in
/// words. The one list from which the enum, the names, the texts and the API's answers come.
/// Two causes never share a reason.
// clang-format off
#define POLLUX_DROP_REASONS(X)                                                                   \
  X(RxChained, "port", "packet in several segments whose headers are not all in the first")      \
  X(TxChained, "port", "packet in several segments for a port that sends single ones")           \
  X(TxQueueFull, "port", "transmit queue full")                                                  \
  X(HandoffFull, "port", "ring to the worker that owns the transmit queue full")                 \
  X(InterfaceDown, "port", "received on an interface that is down")                              \
  X(InterfaceGone, "port", "egress interface is down or no longer exists")                       \
  X(WorkerStopping, "port", "held when the worker stopped")                                      \
  X(RssRingFull, "rss", "ring to the worker that the flow belongs to full")                      \
  X(EtherTruncated, "ether", "frame ends inside the Ethernet header")                            \
  X(EtherNotForUs, "ether", "destination address is neither ours, broadcast nor multicast")      \
  X(EtherUnknownType, "ether", "no handler for the EtherType")                                   \
  X(VlanTruncated, "vlan", "frame ends inside the VLAN tag")                                     \
  X(VlanUnknown, "vlan", "no interface for the VLAN tag")                                        \
  X(VlanNested, "vlan", "more than two VLAN tags")                                               \
  X(ArpTruncated, "arp", "packet ends inside the ARP header")                                    \
  X(ArpBadHardware, "arp", "hardware type or length is not Ethernet's")                          \
  X(ArpBadProtocol, "arp", "protocol type or length is not IPv4's")                              \
  X(ArpBadOperation, "arp", "operation is neither request nor reply")                            \
  X(ArpBadSender, "arp", "sender hardware address is zero or a group address")                   \
  X(ArpForeignSender, "arp", "sender protocol address is not on this link")                      \
  X(ArpNotForUs, "arp", "request for an address that is not ours")                               \
  X(ArpConflict, "arp", "another host uses one of our addresses")                                \
  X(Ip4Truncated, "ip4", "packet ends inside the IPv4 header")                                   \
  X(Ip4BadVersion, "ip4", "version field is not 4")                                              \
  X(Ip4BadIhl, "ip4", "IHL below 5 words or beyond Total Length")                                \
  X(Ip4BadLength, "ip4", "Total Length beyond the packet")                                       \
  X(Ip4BadChecksum, "ip4", "header checksum wrong")                                              \
  X(Ip4BadSource, "ip4", "source is loopback, multicast, reserved or in 0/8")                    \
  X(Ip4SourceRoute, "ip4", "source route option")                                                \
  X(Ip4BadOption, "ip4", "option length runs past the header")                                   \
  X(Ip4LinkBroadcast, "ip4", "unicast packet in a link-layer group frame")                       \
  X(Ip4NoRoute, "ip4", "no route to the destination")                                            \
  X(Ip4Blackhole, "ip4", "blackhole route")                                                      \
  X(Ip4Prohibited, "ip4", "reject route")                                                        \
  X(Ip4Martian, "ip4", "destination that must not be forwarded")                                 \
  X(Ip4Multicast, "ip4", "multicast group without a member")                                     \
  X(Ip4DirectedBroadcast, "ip4", "broadcast address of a subnet that is not the input link's")   \
  X(Ip4NotForwarding, "ip4", "forwarding is switched off")                                       \
  X(Ip4TtlExpired, "ip4", "TTL reached zero")                                                    \
  X(Ip4TooBig, "ip4", "larger than the next hop's MTU with DF set")                              \
  X(Ip4FragmentForUs, "ip4", "fragment to all hosts of a link: not put together")                \
  X(Ip4NoProtocol, "ip4", "no handler for the Protocol field")                                   \
  X(Ip4OwnDestination, "ip4", "packet of ours to an address of ours: there is no loopback")      \
  X(Ip4Spoofed, "ip4", "source is not reached by the input interface (uRPF)")                    \
  X(Ip4OptionsRefused, "ip4", "options, and net.inet.ip.accept_options is off")                  \
  X(FragmentBadLength, "fragment", "no data, or not the last and no multiple of 8 bytes")       \
  X(FragmentTooLong, "fragment", "fragment reaches beyond 65,535 bytes")                        \
  X(FragmentTiny, "fragment", "first fragment does not hold all headers")                       \
  X(FragmentDuplicate, "fragment", "fragment that is there already")                            \
  X(FragmentOverlap, "fragment", "fragment overlaps another: the datagram is given up")         \
  X(FragmentBadEnd, "fragment", "fragments name different ends: the datagram is given up")      \
  X(FragmentBadEcn, "fragment", "fragments with ECN and without among each other")              \
  X(FragmentTooMany, "fragment", "more fragments of one datagram than are kept")                \
  X(FragmentEvicted, "fragment", "datagram gave way to others: limits of reassembly reached")   \
  X(FragmentTimeout, "fragment", "datagram not complete in time")                               \
  X(FragmentNoRoom, "fragment", "no buffer for a fragment")                                     \
  X(Ip6Truncated, "ip6", "packet ends inside the IPv6 header")                                   \
  X(Ip6BadVersion, "ip6", "version field is not 6")                                              \
  X(Ip6BadLength, "ip6", "Payload Length beyond the packet")                                     \
  X(Ip6BadSource, "ip6", "source is multicast, loopback, IPv4-mapped, or unspecified in transit")\
  X(Ip6BadDestination, "ip6", "destination is unspecified, loopback or IPv4-mapped")\
  X(Ip6LinkGroup, "ip6", "unicast packet in a link-layer group frame")                           \
  X(Ip6NoRoute, "ip6", "no route to the destination")                                            \
  X(Ip6Blackhole, "ip6", "blackhole route")                                                      \
  X(Ip6Prohibited, "ip6", "reject route")                                                        \
  X(Ip6Martian, "ip6", "destination that must not be forwarded")                                 \
  X(Ip6Multicast, "ip6", "multicast group without a member")                                     \
  X(Ip6NotForwarding, "ip6", "forwarding is switched off")                                       \
  X(Ip6BeyondScope, "ip6", "link-local address would leave its link")                            \
  X(Ip6HopLimitExpired, "ip6", "hop limit reached zero")                                         \
  X(Ip6TooBig, "ip6", "larger than the next hop's MTU")                                          \
  X(Ip6Spoofed, "ip6", "source is not reached by the input interface (uRPF)")                    \
  X(Ip6BadExtension, "ip6", "extension header runs past the packet")                             \
  X(Ip6TooManyExtensions, "ip6", "more extension headers or options than are read")              \
  X(Ip6BadOption, "ip6", "option length runs past its header")                                   \
  X(Ip6UnknownOption, "ip6", "unknown option whose action bits say discard")                     \
  X(Ip6RoutingHeader, "ip6", "routing header with segments left")                                \
  X(Ip6HopByHopPlace, "ip6", "hop-by-hop options elsewhere than first")                          \
  X(Ip6NoNextHeader, "ip6", "next header 59: nothing follows")                                   \
  X(Ip6UnknownNextHeader, "ip6", "no handler for the Next Header field")                         \
  X(Ip6OwnDestination, "ip6", "packet of ours to an address of ours: there is no loopback")      \
  X(NeighborHoldFull, "neighbor", "too many packets wait for the neighbour")                     \
  X(NeighborFailed, "neighbor", "neighbour does not answer ARP")                                 \
  X(Icmp4Truncated, "icmp4", "message ends inside the ICMP header")                              \
  X(Icmp4BadChecksum, "icmp4", "ICMP checksum wrong")                                            \
  X(Icmp4UnknownType, "icmp4", "no handler for the ICMP type")                                   \
  X(Icmp4EchoToBroadcast, "icmp4", "echo request to a broadcast address")                        \
  X(Icmp6Truncated, "icmp6", "message ends inside the ICMPv6 header")                            \
  X(Icmp6BadChecksum, "icmp6", "ICMPv6 checksum wrong")                                          \
  X(Icmp6UnknownType, "icmp6", "no handler for the ICMPv6 type")                                 \
  X(NdBadHopLimit, "nd", "hop limit is not 255: it came across a router")                        \
  X(NdBadCode, "nd", "code is not 0")                                                            \
  X(NdTruncated, "nd", "message ends inside its fixed part")                                     \
  X(NdBadOption, "nd", "option of length 0, or one that runs past the message")                  \
  X(NdBadTarget, "nd", "target address that the message may not have")                           \
  X(NdFragmented, "nd", "message in fragments (RFC 6980)")                                       \
  X(NdBadSource, "nd", "source address that the message may not have")                           \
  X(NdBadDestination, "nd", "destination address that the message may not have")                 \
  X(NdNotForUs, "nd", "solicitation for an address that is not ours")                            \
  X(NdConflict, "nd", "another host uses one of our addresses")                                  \
  X(NdNotRouter, "nd", "solicitation or redirect that only another kind of node takes")          \
  X(NdRedirectOff, "nd", "redirects are switched off")                                           \
  X(MldRefused, "mld", "listener message that is malformed or not from the link")                \
  X(IgmpRefused, "igmp", "message that is malformed or not from the link")                       \
  X(UdpTruncated, "udp", "datagram ends inside the UDP header")                                  \
  X(UdpBadLength, "udp", "Length below 8 or beyond the IP payload")                              \
  X(UdpBadChecksum, "udp", "checksum wrong, or none over IPv6")                                  \
  X(UdpNoPort, "udp", "nobody listens on the port")                                              \
  X(DeliverFull, "deliver", "queue of who listens full")                                         \
  X(EspTruncated, "esp", "shorter than header, IV, trailer and ICV")                             \
  X(EspChained, "esp", "packet in several segments that fit into no single buffer")              \
  X(EspBadLength, "esp", "ciphertext is not a multiple of four bytes")                           \
  X(EspNoSa, "esp", "no security association for the SPI")                                       \
  X(EspWrongEndpoint, "esp", "outer addresses are not the association's")                        \
  X(EspReplayed, "esp", "sequence number seen or left of the window")                            \
  X(EspBadIcv, "esp", "integrity check value wrong")                                             \
  X(EspBadPadding, "esp", "authenticated, but the padding is not 1, 2, 3, ... or too long")      \
  X(EspDummy, "esp", "dummy packet (next header 59)")                                            \
  X(EspBadNextHeader, "esp", "authenticated, but the next header is not IPv4")                   \
  X(EspBadInner, "esp", "authenticated, but the inner IPv4 header is malformed")                 \
  X(EspSelectorMismatch, "esp", "inner addresses are outside the tunnel's selectors")            \
  X(EspNested, "esp", "ESP inside ESP")                                                          \
  X(EspNoOutboundSa, "esp", "tunnel has no outbound security association")                       \
  X(EspSequenceExhausted, "esp", "sequence numbers of the association are used up")              \
  X(EspNoRoom, "esp", "no room in the buffer for the ESP header or trailer")
// clang-format on

enum class DropReason : std::uint8_t {
#define X(name, layer, text) name,
  POLLUX_DROP_REASONS(X)
#undef X
};

struct DropInfo {
  std::string_view name, layer, text;
};

inline constexpr std::array kDropInfo{
#define X(name, layer, text) DropInfo{#name, layer, text},
    POLLUX_DROP_REASONS(X)
#undef X
};
inline constexpr std::size_t kDropReasons = kDropInfo.size();
static_assert(kDropReasons <= 256, "DropReason is one byte");

[[nodiscard]] constexpr const DropInfo& info(DropReason r) noexcept {
  return kDropInfo[static_cast<std::size_t>(r)];
}
}  // namespace core
