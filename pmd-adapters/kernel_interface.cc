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
      fd_{std::exchange(other.fd_, -1)},
      mtu_{other.mtu_},
      found_mtu_{other.found_mtu_},
      brought_up_{other.brought_up_} {}

KernelInterface::~KernelInterface() {
  if (fd_ < 0) return;
  // The interface may have gone by now; then there is nothing to put back.
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

pollux_link KernelInterface::link() const noexcept {
  pollux_link link{};
  ifreq r = request(name_);
  if (!ask(fd_, SIOCGIFFLAGS, r)) return link;
  link.up = (r.ifr_flags & IFF_UP) != 0 && (r.ifr_flags & IFF_RUNNING) != 0;

  ethtool_cmd settings{};
  settings.cmd = ETHTOOL_GSET;
  r = request(name_);
  r.ifr_data = static_cast<char*>(static_cast<void*>(&settings));
  if (ask(fd_, SIOCETHTOOL, r)) {
    const std::uint32_t speed = ethtool_cmd_speed(&settings);
    if (speed != static_cast<std::uint32_t>(SPEED_UNKNOWN)) link.speed_mbps = speed;
  }
  return link;
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
