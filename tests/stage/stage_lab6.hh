// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <string>

#include "proto/ip6_lookup.hh"
#include "proto/ip6_scope.hh"
#include "tests/stage/stage_lab.hh"
#include "tests/support/packet6.hh"

namespace test {
/// StageLab with an IPv6 routing table of one next hop of each kind.
///
///     lan0 (0): 2001:db8:1::1/64, fe80::1           wan0 (1): 2001:db8:9::1/64, MTU 1400
///     2001:db8:1::2 reachable on lan0; fe80::2 reachable on either link; fe80::/64 glean
///     2001:db8:a1::/48 reachable over wan0   a2 tunnel   a3 blackhole   a4 prohibited
///     a5 glean on wan0   a6 incomplete, by 2001:db8:9::6   a7 failed   a8 being changed
///     a9 reachable over wan0 by a link-local neighbour, whose source is link-local
///     ff02::1 local on lan0   ff00::/8 multicast   ::/128, ::1, fe80::/10 martian; nothing else
class StageLab6 : public StageLab {
protected:
  StageLab6();
  using StageLab::collect;
  /// By "refused REASON TYPE/CODE" and ", VALUE".
  void collect(core::NotedBurst<proto::Ip6Cause>& refused);
  [[nodiscard]] const proto::NextHop& hop_to6(const core::IpAddress& scoped) const {
    return next_hops[fib6->lookup(scoped)];
  }

  std::unique_ptr<proto::Fib6> fib6 =
      std::move(*proto::Fib6::create("stage_lab", {.routes = 64, .groups = 1024}, rcu));
  proto::Ip6Config config6;

private:
  void add_route6(const char* network, std::uint8_t length, const proto::NextHopFields& fields,
                  core::InterfaceId link = core::kNoInterface);
};
}  // namespace test
