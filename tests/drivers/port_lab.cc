// SPDX-License-Identifier: BSD-3-Clause
#include "tests/drivers/port_lab.hh"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace lab {
namespace {
constexpr std::uint16_t kEtherType = 0x88b5;

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error{"failed: " + command};
}

ifreq ask(const std::string& interface, unsigned long what) {
  ifreq r{};
  interface.copy(r.ifr_name, sizeof r.ifr_name - 1);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const int result = ioctl(fd, what, &r);
  close(fd);
  if (result != 0) throw std::runtime_error{"no interface " + interface};
  return r;
}
}  // namespace

bool enter_own_namespace() {
  if (unshare(CLONE_NEWNET) != 0) return false;
  // The kernel's own neighbour discovery would be counted among what leaks.
  for (const char* which : {"all", "default"})
    std::ofstream{std::string{"/proc/sys/net/ipv6/conf/"} + which + "/disable_ipv6"} << 1;
  return true;
}

VethPair::VethPair(unsigned mtu) {
  const std::string size = " mtu " + std::to_string(mtu);
  run("ip link add plx0" + size + " type veth peer name plx1" + size);
  run("ip link set plx1 up");
}

VethPair::~VethPair() {
  (void)std::system("ip link del plx0 2>/dev/null || true");
}

bool is_up(const std::string& interface) {
  return (ask(interface, SIOCGIFFLAGS).ifr_flags & IFF_UP) != 0;
}

unsigned mtu_of(const std::string& interface) {
  return static_cast<unsigned>(ask(interface, SIOCGIFMTU).ifr_mtu);
}

Frame frame(std::uint32_t number, std::size_t length) {
  Frame f(length);
  for (std::size_t i = 0; i < length; ++i) f[i] = static_cast<std::uint8_t>(number + i);
  for (std::size_t i = 0; i < 6; ++i) f[i] = 0xff;
  f[6] = 2;
  f[12] = kEtherType >> 8;
  f[13] = kEtherType & 0xff;
  for (std::size_t i = 0; i < 4; ++i) f[14 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  return f;
}

RawSocket::RawSocket(const std::string& interface)
    : fd_{socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(kEtherType))} {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(kEtherType);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  const int room = 8 << 20;
  (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  if (bind(fd_, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) !=
      0)
    throw std::runtime_error{"cannot bind to " + interface};
}

RawSocket::~RawSocket() {
  close(fd_);
}

bool RawSocket::send(const Frame& f) const {
  return ::send(fd_, f.data(), f.size(), 0) == static_cast<ssize_t>(f.size());
}

std::optional<Frame> RawSocket::receive(std::chrono::milliseconds patience) const {
  pollfd wait{fd_, POLLIN, 0};
  if (poll(&wait, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
  Frame f(65536);
  const ssize_t n = recv(fd_, f.data(), f.size(), 0);
  if (n < 0) return std::nullopt;
  f.resize(static_cast<std::size_t>(n));
  return f;
}

std::map<std::string, unsigned> descriptors() {
  namespace fs = std::filesystem;
  std::map<std::string, unsigned> kinds;
  for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    std::string target = fs::read_symlink(entry.path(), gone);
    if (target.ends_with(']')) target = target.substr(0, target.find('['));
    if (!gone) ++kinds[target];
  }
  return kinds;
}
}  // namespace lab
