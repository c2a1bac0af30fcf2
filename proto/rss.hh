// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"

namespace proto {
/// Software receive-side scaling, for devices with fewer queues than there are workers: each flow
/// has one worker, which gets its packets over the ring between the two. The order within a flow
/// stays, as its packets all take the same ring.
/// In:    frames received on `in`, data at the Ethernet header.
/// Out:   what stays on this worker is left in `rx`.
/// Drops: RssRingFull.
void rss(core::Worker& w, const core::Interface& in, core::Burst& rx) noexcept;
}  // namespace proto
