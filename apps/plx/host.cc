// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/host.hh"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "apps/plx/plan.hh"

namespace plx {
namespace {
using Answers = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Answers ask(const std::string& name, int family, int flags, int* error) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = flags;
  addrinfo* answers = nullptr;
  *error = ::getaddrinfo(name.c_str(), nullptr, &hints, &answers);
  return {answers, &::freeaddrinfo};
}

std::string text_of(const addrinfo& answer, int flags) {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(answer.ai_addr, answer.ai_addrlen, text.data(),
                    static_cast<socklen_t>(text.size()), nullptr, 0, flags) != 0)
    return {};
  return text.data();
}
}  // namespace

Host find_host(const std::string& text, Family family) {
  Host host;
  host.name = text;
  const std::size_t percent = text.find('%');
  const std::string name = text.substr(0, percent);
  if (percent != std::string::npos) host.interface = text.substr(percent + 1);
  const int wanted = family == Family::Ip4 ? AF_INET : family == Family::Ip6 ? AF_INET6 : AF_UNSPEC;
  int error = 0;
  const Answers answers = ask(name, wanted, 0, &error);
  if (!answers) throw Refused{fmt::format("{}: {}", text, ::gai_strerror(error))};
  host.ip6 = answers->ai_family == AF_INET6;
  host.address = text_of(*answers, NI_NUMERICHOST);
  return host;
}

std::string name_of(const std::string& address) {
  int error = 0;
  const Answers answers = ask(address, AF_UNSPEC, AI_NUMERICHOST, &error);
  const std::string name = answers ? text_of(*answers, NI_NAMEREQD) : std::string{};
  return name.empty() ? address : name;
}
}  // namespace plx
