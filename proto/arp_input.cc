// SPDX-License-Identifier: BSD-3-Clause
#include "proto/arp_input.hh"

#include <algorithm>
#include <optional>

#include "core/mbuf.hh"
#include "proto/link_header.hh"
#include "proto/wire/arp.hh"

namespace proto {
namespace {
using Addresses = std::vector<Ip4Prefix>;

bool is_ours(const Addresses& ours, std::uint32_t address) noexcept {
  return std::any_of(ours.begin(), ours.end(),
                     [&](const Ip4Prefix& p) { return p.address == address; });
}
bool on_link(const Addresses& ours, std::uint32_t address) noexcept {
  return std::any_of(ours.begin(), ours.end(),
                     [&](const Ip4Prefix& p) { return p.contains(address); });
}

/// The address under test that the sender has, or is about to take (RFC 5227 section 2.1.1); 0:
/// none. Our own probes may come back from a switch.
std::uint32_t contested(const ArpView& arp, const std::vector<std::uint32_t>& tentative,
                        const core::MacAddress& us) noexcept {
  if (arp.sender_mac() == us) return 0;
  const std::uint32_t claimed = arp.sender_ip() != 0 ? arp.sender_ip() : arp.target_ip();
  const bool under_test = std::find(tentative.begin(), tentative.end(), claimed) != tentative.end();
  return under_test ? claimed : 0;
}

/// Why the packet must go, if it must. Decides, changes nothing.
std::optional<DropReason> judge(const ArpView& arp, const Addresses& ours) noexcept {
  if (core::is_group(arp.sender_mac()) || arp.sender_mac() == core::MacAddress{})
    return DropReason::ArpBadSender;
  if (is_ours(ours, arp.sender_ip())) return DropReason::ArpConflict;
  // An ARP probe has no sender address (RFC 5227 section 1.1): it is answered, nothing is learnt.
  if (arp.sender_ip() != 0 && !on_link(ours, arp.sender_ip())) return DropReason::ArpForeignSender;
  const bool request = arp.operation() == ArpView::kRequest;
  const bool announcement = arp.sender_ip() == arp.target_ip();
  if (request && !announcement && !is_ours(ours, arp.target_ip())) return DropReason::ArpNotForUs;
  return std::nullopt;
}

/// Turns the request into the reply, in place.
void reply(rte_mbuf& m, const ArpView& request, const core::Interface& in) noexcept {
  const ArpFields answer{.operation = ArpView::kReply,
                         .sender_mac = in.mac,
                         .sender_ip = request.target_ip(),
                         .target_mac = request.sender_mac(),
                         .target_ip = request.sender_ip()};
  core::keep_front(m, ArpView::kLen);
  emit(answer, core::front_bytes_mut(m));
  push_link_header(m, in, answer.target_mac, kEtherTypeArp);
}
}  // namespace

void arp_input(core::Worker& w, const core::InterfaceTable& interfaces, const Ip4Config& config,
               const core::Interface& in, core::Burst& arp) noexcept {
  if (arp.empty()) return;
  w.enter(core::Stage::ArpInput, arp.packets());
  const Addresses& ours = config.addresses[in.id];
  const bool testing = in.id < config.tentative.size() && !config.tentative[in.id].empty();
  for (rte_mbuf* m : arp.take()) {
    const auto packet = ArpView::parse(core::front_bytes(*m));
    if (!packet) {
      w.drop(m, packet.error());
      continue;
    }
    core::Event seen{.kind = core::EventKind::NeighborSeen,
                     .interface = in.id,
                     .address = packet->sender_ip(),
                     .mac = packet->sender_mac(),
                     .at_us = w.now_us};
    if (testing) [[unlikely]]
      if (const std::uint32_t claimed = contested(*packet, config.tentative[in.id], in.mac)) {
        seen.kind = core::EventKind::AddressConflict;
        seen.address = claimed;
        w.post(seen);
        w.drop(m, DropReason::ArpConflict);
        continue;
      }
    if (const auto why = judge(*packet, ours)) {
      if (*why == DropReason::ArpConflict) {
        seen.kind = core::EventKind::AddressConflict;
        w.post(seen);
      } else if (*why == DropReason::ArpNotForUs && packet->sender_ip() != 0) {
        w.post(seen);  // RFC 826: whomever it is for, it says where its sender is; makes no entry
      }
      w.drop(m, *why);
      continue;
    }
    const bool asks_us =
        packet->operation() == ArpView::kRequest && is_ours(ours, packet->target_ip());
    // Who asks us will be answered and makes a new entry; anything else may only update one that we
    // asked for (RFC 826, "merge flag"), so that unasked replies cannot fill the table.
    seen.may_create = asks_us;
    if (packet->sender_ip() != 0) w.post(seen);
    if (asks_us) {
      reply(*m, *packet, in);
      send_frames(w, interfaces, in.id, {&m, 1});
    } else {
      w.consume(m);
    }
  }
}
}  // namespace proto
