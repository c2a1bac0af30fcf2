// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_input.hh"

#include <optional>

#include "core/mbuf.hh"
#include "proto/ip4_options.hh"
#include "proto/wire/icmp4.hh"

namespace proto {
namespace {
/// Addresses that no host may send from across a router (RFC 1812 section 5.3.7): 0/8, 127/8,
/// multicast and reserved.
bool bad_source(std::uint32_t src) noexcept {
  const std::uint32_t net = src >> 24;
  return net == 0 || net == 127 || net >= 224;
}

[[gnu::always_inline]] inline bool header_intact(const rte_mbuf& m, const Ip4View& ip,
                                                 bool trust_device) noexcept {
  if (trust_device) {
    const std::uint64_t verdict = m.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    if (verdict == RTE_MBUF_F_RX_IP_CKSUM_GOOD) return true;
    if (verdict == RTE_MBUF_F_RX_IP_CKSUM_BAD) return false;
  }
  return ip.verify_checksum();
}

/// Why a packet whose lengths hold must go all the same, if it must. Decides, changes nothing.
[[gnu::always_inline]] inline std::optional<DropReason> judge(const rte_mbuf& m, const Ip4View& ip,
                                                              bool trust_device) noexcept {
  if (!header_intact(m, ip, trust_device)) return DropReason::Ip4BadChecksum;
  if (bad_source(ip.src())) return DropReason::Ip4BadSource;
  return std::nullopt;
}

/// @param ip  by value: a view whose address is taken would live in memory for every packet.
/// @return whether a packet with options may go on; else it has ended, or is in `refused`.
[[gnu::cold, gnu::noinline]] bool pass_options(core::Worker& w, Ip4InputRules rules, rte_mbuf* m,
                                               Ip4View ip,
                                               core::NotedBurst<Icmp4Cause>& refused) noexcept {
  if (!rules.accept_options) {
    w.drop(m, DropReason::Ip4OptionsRefused);
    return false;
  }
  const auto fault = judge_options(ip.header());
  if (!fault) return true;
  if (fault->reason == DropReason::Ip4BadOption && !rules.link_group) {
    core::keep_front(*m, ip.total_length());
    refused.push(m, {fault->reason, Icmp4View::kParameterProblem, 0, fault->pointer});
  } else {
    w.drop(m, fault->reason);
  }
  return false;
}

/// The same steps for a packet in several segments, apart from the loop over single ones, which
/// would lose by it. @return its destination, or nothing where it has ended.
[[gnu::cold, gnu::noinline]] std::optional<std::uint32_t> take_chain(
    core::Worker& w, Ip4InputRules rules, rte_mbuf* m,
    core::NotedBurst<Icmp4Cause>& refused) noexcept {
  const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
  if (!ip) {
    w.drop(m, ip.error());
    return std::nullopt;
  }
  if (const auto why = judge(*m, *ip, rules.trust_checksum)) {
    w.drop(m, *why);
    return std::nullopt;
  }
  if (ip->header_len() != Ip4View::kMinHeaderLen && !pass_options(w, rules, m, *ip, refused))
    return std::nullopt;
  const std::uint32_t dst = ip->dst();
  core::keep_front(*m, ip->total_length());
  return dst;
}
}  // namespace

void ip4_input(core::Worker& w, Ip4InputRules rules, core::Burst& in,
               core::NotedBurst<std::uint32_t>& next,
               core::NotedBurst<Icmp4Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Input, in.packets());
  core::NotedBurst<std::uint32_t>::Writer good{next};
  for (rte_mbuf* m : in.take()) {
    if (core::is_chain(*m)) [[unlikely]] {
      if (const auto dst = take_chain(w, rules, m, refused)) good.push(m, *dst);
      continue;
    }
    const auto ip = Ip4View::parse(core::front_bytes(*m));
    if (!ip) {
      w.drop(m, ip.error());
    } else if (const auto why = judge(*m, *ip, rules.trust_checksum)) {
      w.drop(m, *why);
    } else if (ip->header_len() != Ip4View::kMinHeaderLen &&
               !pass_options(w, rules, m, *ip, refused)) [[unlikely]] {
      continue;
    } else {
      core::keep_front(*m, ip->total_length());
      good.push(m, ip->dst());
    }
  }
}
}  // namespace proto
