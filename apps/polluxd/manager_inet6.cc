// SPDX-License-Identifier: BSD-3-Clause
// Neighbour Discovery's side of the manager: what neighbours, routers and listeners say.
#include "apps/polluxd/manager_impl.hh"

namespace polluxd {
void Manager::Impl::handle_discovery(const core::Event& e) {
  if (e.kind != core::EventKind::NeighborAdvertised || e.mac == core::MacAddress{}) return;
  if (subnet_of(e.interface, e.address)) neighbors.seen(e, now_us);
}
}  // namespace polluxd
