// SPDX-License-Identifier: BSD-3-Clause
#include "proto/igmp_input.hh"

#include <optional>

#include "core/mbuf.hh"
#include "proto/wire/igmp.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
bool is_known(std::uint8_t type) noexcept {
  return type == igmp::kReport1 || type == igmp::kReport2 || type == igmp::kReport3 ||
         type == igmp::kLeave2;
}

/// @return why the message must go, where it must.
std::optional<core::DropReason> take(core::Worker& w, const core::Interface& in,
                                     rte_mbuf& m) noexcept {
  if (core::is_chain(m) && !core::linearize(m)) return core::DropReason::IgmpRefused;
  const auto ip = Ip4View::parse(core::front_bytes(m));
  if (!ip) return ip.error();
  const Bytes message = ip->payload();
  if (ip->is_fragment() || ip->ttl() != igmp::kTtl || message.size() < igmp::QueryView::kLen)
    return core::DropReason::IgmpRefused;
  if (is_known(message[0])) return std::nullopt;
  const auto query = igmp::QueryView::parse(ip->dst(), message);
  if (!query) return query.error();
  w.post({.kind = core::EventKind::ListenerQueried,
          .flags = query->version(),
          .interface = in.id,
          .address = ip->src(),
          .at_us = w.now_us,
          .other = query->group(),
          .retrans_ms = query->max_response_ms()});
  return std::nullopt;
}
}  // namespace

void igmp_input(core::Worker& w, const core::Interface& in, core::Burst& packets) noexcept {
  if (packets.empty()) [[likely]]
    return;
  core::Burst messages, others;
  for (rte_mbuf* m : packets.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    (ip && ip->protocol() == igmp::kProtocol ? messages : others).push(m);
  }
  packets.push(others.take());
  if (messages.empty()) return;
  w.enter(core::Stage::IgmpInput, messages.packets());
  for (rte_mbuf* m : messages.take()) {
    if (const auto why = take(w, in, *m))
      w.drop(m, *why);
    else
      w.consume(m);
  }
}
}  // namespace proto
