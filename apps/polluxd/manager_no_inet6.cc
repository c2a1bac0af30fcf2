// SPDX-License-Identifier: BSD-3-Clause
// What polluxd-v4 has in the place of the manager's IPv6: requests are refused, and nothing happens
// by itself.
#include "apps/polluxd/manager_impl.hh"
#include "core/inet6.hh"
#include "core/log.hh"

namespace polluxd {
using core::InterfaceId;

static_assert(!core::kInet6);

core::Expected<> Manager::check_autoconf(bool on) {
  if (on) return core::no_inet6("autoconfiguration");
  return core::Done{};
}

core::Expected<> Manager::set_autoconf(const std::string& name, bool on) {
  if (const auto id = impl_->find(name); !id) return id.error();
  return check_autoconf(on);
}

core::Expected<> Manager::check_rtadv(const RtadvSpec& spec) {
  if (spec.enabled) return core::no_inet6("router advertisements");
  return core::Done{};
}

core::Expected<> Manager::set_rtadv(const std::string& name, const RtadvSpec& spec) {
  if (const auto id = impl_->find(name); !id) return id.error();
  return check_rtadv(spec);
}

std::vector<RouterInfo> Manager::default_routers() const {
  return {};
}

std::vector<PrefixInfo> Manager::advertised_prefixes() const {
  return {};
}

/// IPv4's part of it: the groups that follow from addresses.
void Manager::Impl::update_inet6(InterfaceId id) {
  if (auto joined = update_memberships(id); !joined)
    core::log::warning("{}: {}", name_of(id), joined.error().context);
}

bool Manager::Impl::is_router(InterfaceId) const {
  return false;
}

bool Manager::Impl::on_link_by_prefix(InterfaceId, const core::IpAddress&) const {
  return false;
}

std::uint32_t Manager::Impl::count_routes6() const {
  return 0;
}

void add_inet6_sysctls(core::Sysctl&) {}
void Manager::Impl::add_usage6(std::vector<UseAgainstLimit>&) const {}
void Manager::Impl::make_inet6() {}
void Manager::Impl::load_inet6_timers() {}
void Manager::Impl::load_inet6() {}
void Manager::Impl::link_is_up_inet6(InterfaceId) {}
void Manager::Impl::leave_inet6(InterfaceId) {}
void Manager::Impl::link_changed_inet6(InterfaceId) {}
void Manager::Impl::add_inet6_groups(InterfaceId, std::set<core::IpAddress>&) const {}
void Manager::Impl::handle_discovery(const core::Event&) {}
void Manager::Impl::run_inet6() {}
void Manager::Impl::stop_advertising(InterfaceId) {}
}  // namespace polluxd
