// SPDX-License-Identifier: BSD-3-Clause
#include "core/packet_filter.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string_view>

namespace core {
namespace {
/// Every word of the language (pcap-filter(7)). What is none of them would be looked up as a name,
/// by DNS too, and the thread that compiles must not wait for that.
constexpr std::array kWords = std::to_array<std::string_view>({
    "aarp",
    "ah",
    "and",
    "arp",
    "atalk",
    "broadcast",
    "byte",
    "carp",
    "decnet",
    "dst",
    "esp",
    "ether",
    "gateway",
    "geneve",
    "greater",
    "host",
    "icmp",
    "icmp-echo",
    "icmp-echoreply",
    "icmp-ireq",
    "icmp-ireqreply",
    "icmp-maskreply",
    "icmp-maskreq",
    "icmp-paramprob",
    "icmp-redirect",
    "icmp-routeradvert",
    "icmp-routersolicit",
    "icmp-sourcequench",
    "icmp-timxceed",
    "icmp-tstamp",
    "icmp-tstampreply",
    "icmp-unreach",
    "icmp6",
    "icmp6-destinationunreach",
    "icmp6-echo",
    "icmp6-echoreply",
    "icmp6-neighboradvert",
    "icmp6-neighborsolicit",
    "icmp6-packettoobig",
    "icmp6-parameterproblem",
    "icmp6-redirect",
    "icmp6-routeradvert",
    "icmp6-routersolicit",
    "icmp6-timeexceeded",
    "icmp6code",
    "icmp6type",
    "icmpcode",
    "icmptype",
    "igmp",
    "igrp",
    "ip",
    "ip6",
    "ipx",
    "iso",
    "lat",
    "len",
    "length",
    "less",
    "link",
    "llc",
    "mask",
    "mopdl",
    "moprc",
    "mpls",
    "multicast",
    "net",
    "netbeui",
    "not",
    "or",
    "pim",
    "port",
    "portrange",
    "pppoed",
    "pppoes",
    "proto",
    "protochain",
    "rarp",
    "sca",
    "sctp",
    "src",
    "stp",
    "tcp",
    "tcp-ack",
    "tcp-cwr",
    "tcp-ece",
    "tcp-fin",
    "tcp-push",
    "tcp-rst",
    "tcp-syn",
    "tcp-urg",
    "tcpflags",
    "udp",
    "vlan",
    "vrrp",
});

bool is_word_byte(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == ':' || c == '-' ||
         c == '_';
}

bool consists_of(std::string_view word, std::string_view allowed) noexcept {
  return word.find_first_not_of(allowed) == std::string_view::npos;
}

/// A number, an IPv4, IPv6 or MAC address: nothing that would be looked up.
/// @param range  whether "80-90" is one: anywhere else it would be taken for the name of a host.
bool is_value(std::string_view word, bool range) noexcept {
  constexpr std::string_view kHex = "0123456789abcdefABCDEF";
  constexpr std::string_view kHexAndMore = "0123456789abcdefABCDEF:.";
  constexpr int kMostDots = 3;
  if (word.find(':') != std::string_view::npos) return consists_of(word, kHexAndMore);
  if (word.starts_with("0x") || word.starts_with("0X")) return consists_of(word.substr(2), kHex);
  if (std::count(word.begin(), word.end(), '.') > kMostDots) return false;
  return consists_of(word, range ? "0123456789-" : "0123456789.");
}

/// @return the first word that is a name, or nothing.
std::string_view find_name(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 6> kTypes{"host", "net",   "gateway",
                                                   "port", "proto", "portrange"};
  bool range = false;  // what stands behind "or" is of the type that was named last
  while (!text.empty()) {
    if (!is_word_byte(text.front())) {
      text.remove_prefix(1);
      continue;
    }
    const auto end = std::find_if_not(text.begin(), text.end(), is_word_byte);
    const auto word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(word.size());
    // "tcp[13]-4" and "ether[0]:2" leave what is no word.
    const std::size_t begin = word.find_first_not_of("-:");
    if (begin == std::string_view::npos) continue;
    const bool address = word.starts_with("::");
    const std::string_view bare = address ? word : word.substr(begin);
    if (std::find(kTypes.begin(), kTypes.end(), bare) != kTypes.end()) range = bare == "portrange";
    if (std::find(kWords.begin(), kWords.end(), bare) == kWords.end() && !is_value(bare, range))
      return word;
  }
  return {};
}

struct ClosePcap {
  void operator()(pcap_t* p) const noexcept { pcap_close(p); }
};
}  // namespace

Expected<PacketFilter> PacketFilter::compile(const std::string& text, Link link) {
  constexpr int kSnaplen = 65535;
  const auto refuse = [](std::string why) { return Error{Errc::Invalid, std::move(why)}; };
  if (text.size() > kMaxText)
    return refuse(fmt::format("filter of {} bytes, expected at most {}", text.size(), kMaxText));
  if (text.find('\0') != std::string::npos) return refuse("filter: a zero byte");
  if (const auto name = find_name(text); !name.empty())
    return refuse(fmt::format(
        "filter: \"{}\" is no word of pcap-filter(7), and names of hosts, networks and ports are "
        "not looked up: expected addresses and numbers",
        name.substr(0, 64)));
  if (text.find_first_not_of(" \t") == std::string::npos) return PacketFilter{};
  const std::unique_ptr<pcap_t, ClosePcap> pcap{
      pcap_open_dead(link == Link::Ethernet ? DLT_EN10MB : DLT_RAW, kSnaplen)};
  bpf_program compiled{};
  if (pcap == nullptr ||
      pcap_compile(pcap.get(), &compiled, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    return refuse(fmt::format("filter \"{}\": {}", text,
                              pcap == nullptr ? "out of memory" : pcap_geterr(pcap.get())));
  PacketFilter filter;
  filter.program_.assign(compiled.bf_insns, compiled.bf_insns + compiled.bf_len);
  pcap_freecode(&compiled);
  return filter;
}

PacketFilter PacketFilter::nothing() {
  PacketFilter filter;
  filter.program_.push_back(bpf_insn{BPF_RET | BPF_K, 0, 0, 0});
  return filter;
}
}  // namespace core
