// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_input.hh"

#include <optional>

#include "core/mbuf.hh"

namespace proto {
namespace {
/// Addresses that no host may send from across a router (RFC 1812 section 5.3.7): 0/8, 127/8,
/// multicast and reserved.
bool bad_source(std::uint32_t src) noexcept {
  const std::uint32_t net = src >> 24;
  return net == 0 || net == 127 || net >= 224;
}

/// Walks the options. Source routes are refused (RFC 7126 sections 4.3 and 4.4); all others pass
/// unread: a router may ignore them.
std::optional<DropReason> judge_options(Bytes options) noexcept {
  constexpr std::uint8_t kEnd = 0, kNop = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
  for (std::size_t at = 0; at < options.size();) {
    const std::uint8_t type = options[at];
    if (type == kEnd) break;
    if (type == kNop) {
      ++at;
      continue;
    }
    if (type == kLooseSourceRoute || type == kStrictSourceRoute) return DropReason::Ip4SourceRoute;
    if (at + 1 == options.size()) return DropReason::Ip4BadOption;
    const std::size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return DropReason::Ip4BadOption;
    at += length;
  }
  return std::nullopt;
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
  if (ip.header_len() != Ip4View::kMinHeaderLen) return judge_options(ip.options());
  return std::nullopt;
}

/// The same steps for a packet in several segments, apart from the loop over single ones, which
/// would lose by it. @return its destination, or nothing where it has ended.
[[gnu::cold, gnu::noinline]] std::optional<std::uint32_t> take_chain(core::Worker& w,
                                                                     bool trust_checksum,
                                                                     rte_mbuf* m) noexcept {
  const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
  if (!ip) {
    w.drop(m, ip.error());
    return std::nullopt;
  }
  if (const auto why = judge(*m, *ip, trust_checksum)) {
    w.drop(m, *why);
    return std::nullopt;
  }
  const std::uint32_t dst = ip->dst();
  core::keep_front(*m, ip->total_length());
  return dst;
}
}  // namespace

void ip4_input(core::Worker& w, bool trust_checksum, core::Burst& in,
               core::NotedBurst<std::uint32_t>& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Input, in.packets());
  core::NotedBurst<std::uint32_t>::Writer good{next};
  for (rte_mbuf* m : in.take()) {
    if (core::is_chain(*m)) [[unlikely]] {
      if (const auto dst = take_chain(w, trust_checksum, m)) good.push(m, *dst);
      continue;
    }
    const auto ip = Ip4View::parse(core::front_bytes(*m));
    if (!ip) {
      w.drop(m, ip.error());
    } else if (const auto why = judge(*m, *ip, trust_checksum)) {
      w.drop(m, *why);
    } else {
      core::keep_front(*m, ip->total_length());
      good.push(m, ip->dst());
    }
  }
}
}  // namespace proto
