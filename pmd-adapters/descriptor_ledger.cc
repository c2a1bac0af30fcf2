// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/descriptor_ledger.hh"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>

namespace pmd {
namespace {
bool is_xdp(int fd, const std::string& target) {
  if (target == "anon_inode:bpf-map" || target == "anon_inode:bpf-prog") return true;
  int domain = 0;
  socklen_t length = sizeof domain;
  return target.starts_with("socket:") &&
         getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_XDP;
}
}  // namespace

std::set<DescriptorLedger::Descriptor> DescriptorLedger::descriptors() {
  namespace fs = std::filesystem;
  std::set<Descriptor> found;
  std::error_code error;
  for (fs::directory_iterator it{"/proc/self/fd", error}, end; it != end; it.increment(error)) {
    const std::string number = it->path().filename();
    int fd = -1;
    std::from_chars(number.data(), number.data() + number.size(), fd);
    std::error_code gone;
    const std::string target = fs::read_symlink(it->path(), gone);
    if (!gone && is_xdp(fd, target)) found.emplace(fd, target);
  }
  return found;
}

void DescriptorLedger::note() {
  const auto now = descriptors();
  std::set_difference(now.begin(), now.end(), before_.begin(), before_.end(),
                      std::inserter(ours_, ours_.end()));
  noting_ = false;
}

void DescriptorLedger::resume() {
  before_ = descriptors();
  noting_ = true;
}

DescriptorLedger::~DescriptorLedger() {
  if (noting_) note();
  const auto now = descriptors();
  for (const Descriptor& d : ours_)
    if (now.contains(d)) close(d.first);
}
}  // namespace pmd
