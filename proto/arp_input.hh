// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_config.hh"

namespace proto {
/// Answers requests for our addresses in place and reports to the manager what others say of theirs
/// (RFC 826; conflicts as RFC 5227 section 2.4).
/// In:    data at the ARP header; received on `in`.
/// Out:   replies: the received buffer, a finished frame given to transmit(). `arp` is empty.
/// Drops: ArpTruncated, ArpBadHardware, ArpBadProtocol, ArpBadOperation, ArpBadSender,
///        ArpForeignSender, ArpNotForUs (its sender's entry is brought up to date all the same),
///        ArpConflict. What was learnt from is consumed.
void arp_input(core::Worker& w, const core::InterfaceTable& interfaces, const Ip4Config& config,
               const core::Interface& in, core::Burst& arp) noexcept;
}  // namespace proto
