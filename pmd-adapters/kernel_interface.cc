// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/kernel_interface.hh"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace pmd {
namespace {
ifreq request(const std::string& name) noexcept {
  ifreq r{};
  name.copy(r.ifr_name, sizeof r.ifr_name - 1);
  return r;
}

bool ask(int fd, unsigned long what, ifreq& r) noexcept {
  return ioctl(fd, what, &r) == 0;
}

Failure failure(const std::string& name, const char* what) {
  const int error = errno;
  return {error, fmt::format("cannot {} interface '{}': {}", what, name, strerror(error))};
}

bool set_up(int fd, const std::string& name, bool up) noexcept {
  ifreq r = request(name);
  if (!ask(fd, SIOCGIFFLAGS, r)) return false;
  const int flags = up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
  r.ifr_flags = static_cast<short>(flags);
  return ask(fd, SIOCSIFFLAGS, r);
}
}  // namespace

Outcome<KernelInterface> KernelInterface::take(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    return Failure{EINVAL, fmt::format("'{}' is not an interface name: 1 to {} characters", name,
                                       IFNAMSIZ - 1)};
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure(name, "ask for");
  KernelInterface it{name, fd};

  ifreq r = request(name);
  if (!ask(fd, SIOCGIFHWADDR, r)) {
    if (errno == ENODEV)
      return Failure{ENODEV, fmt::format("no interface '{}' in this network namespace", name)};
    return failure(name, "read the address of");
  }
  if (r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return Failure{EINVAL, fmt::format("interface '{}' is not Ethernet", name)};
  r = request(name);
  if (!ask(fd, SIOCGIFINDEX, r)) return failure(name, "read the index of");
  it.index_ = r.ifr_ifindex;
  r = request(name);
  if (!ask(fd, SIOCGIFMTU, r)) return failure(name, "read the MTU of");
  it.mtu_ = it.found_mtu_ = static_cast<std::uint16_t>(r.ifr_mtu);
  r = request(name);
  if (!ask(fd, SIOCGIFFLAGS, r)) return failure(name, "read the state of");
  if ((r.ifr_flags & IFF_UP) == 0) {
    if (!set_up(fd, name, true)) return failure(name, "bring up");
    it.brought_up_ = true;
  }
  return it;
}

KernelInterface::KernelInterface(KernelInterface&& other) noexcept
    : name_{std::move(other.name_)},
      index_{other.index_},
      fd_{std::exchange(other.fd_, -1)},
      mtu_{other.mtu_},
      found_mtu_{other.found_mtu_},
      brought_up_{other.brought_up_},
      groups_{std::move(other.groups_)},
      last_{other.last_} {}

KernelInterface::~KernelInterface() {
  if (fd_ < 0) return;
  // The interface may have gone by now, or another one have its name; then there is nothing to put
  // back.
  ifreq now{};
  now.ifr_ifindex = index_;
  if (!ask(fd_, SIOCGIFNAME, now)) {
    ::close(fd_);
    return;
  }
  name_ = now.ifr_name;
  for (const Group& g : groups_) (void)change_group(SIOCDELMULTI, g);
  if (mtu_ != found_mtu_) {
    ifreq r = request(name_);
    r.ifr_mtu = found_mtu_;
    (void)ask(fd_, SIOCSIFMTU, r);
  }
  if (brought_up_) (void)set_up(fd_, name_, false);
  ::close(fd_);
}

Outcome<> KernelInterface::set_mtu(std::uint16_t mtu) {
  ifreq r = request(name_);
  r.ifr_mtu = mtu;
  if (!ask(fd_, SIOCSIFMTU, r)) return failure(name_, fmt::format("set MTU {} on", mtu).c_str());
  mtu_ = mtu;
  return core::Done{};
}

Outcome<pollux_link> KernelInterface::link() {
  ifreq r{};
  r.ifr_ifindex = index_;
  if (!ask(fd_, SIOCGIFNAME, r))
    return Failure{ENODEV, fmt::format("interface '{}' is gone", name_)};
  name_ = r.ifr_name;  // it may have been renamed
  if (!ask(fd_, SIOCGIFFLAGS, r))
    return Failure{ENODEV, fmt::format("interface '{}' is gone", name_)};
  const bool up = (r.ifr_flags & IFF_UP) != 0 && (r.ifr_flags & IFF_RUNNING) != 0;
  if (up && last_.up == 0) last_.speed_mbps = ask_speed();
  last_.up = up ? 1 : 0;
  return last_;
}

std::uint32_t KernelInterface::ask_speed() const noexcept {
  ethtool_cmd settings{};
  settings.cmd = ETHTOOL_GSET;
  ifreq r = request(name_);
  r.ifr_data = static_cast<char*>(static_cast<void*>(&settings));
  if (!ask(fd_, SIOCETHTOOL, r)) return 0;
  const std::uint32_t speed = ethtool_cmd_speed(&settings);
  return speed == static_cast<std::uint32_t>(SPEED_UNKNOWN) ? 0 : speed;
}

bool KernelInterface::change_group(unsigned long what, const Group& group) const noexcept {
  ifreq r = request(name_);
  r.ifr_hwaddr.sa_family = AF_UNSPEC;
  std::copy(group.begin(), group.end(), std::begin(r.ifr_hwaddr.sa_data));
  return ask(fd_, what, r);
}

Outcome<> KernelInterface::set_multicast(std::span<const std::uint8_t[6]> addresses) {
  std::vector<Group> wanted(addresses.size());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    std::copy_n(addresses[i], wanted[i].size(), wanted[i].begin());
  const auto has = [](const std::vector<Group>& list, const Group& g) {
    return std::find(list.begin(), list.end(), g) != list.end();
  };
  for (const Group& g : wanted) {
    if (has(groups_, g)) continue;
    if (!change_group(SIOCADDMULTI, g)) return failure(name_, "add a multicast group to");
    groups_.push_back(g);
  }
  std::erase_if(groups_,
                [&](const Group& g) { return !has(wanted, g) && change_group(SIOCDELMULTI, g); });
  return core::Done{};
}

std::uint16_t KernelInterface::channels() const noexcept {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq r = request(name_);
  r.ifr_data = static_cast<char*>(static_cast<void*>(&channels));
  if (!ask(fd_, SIOCETHTOOL, r) || channels.max_combined == 0) return 1;
  return static_cast<std::uint16_t>(channels.combined_count);
}
}  // namespace pmd
