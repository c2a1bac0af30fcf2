// SPDX-License-Identifier: BSD-3-Clause
// Takes everything and, if asked to, delivers frames of zeros without end.
#include <fmt/format.h>

#include "pmd-adapters/driver.hh"

namespace pmd {
namespace {
constexpr std::uint32_t kMinFrame = 60;

constexpr pollux_option kOptions[] = {
    {"rx", POLLUX_OPTION_STRING, "no", "yes: every poll receives as many frames as it asks for"},
    {"size", POLLUX_OPTION_UINT, "64", "bytes of a frame that is received"},
    {"copy", POLLUX_OPTION_STRING, "no", "yes: write every frame received, and read those sent"},
};

Outcome<EthdevSpec> plan(const Request& r) {
  const auto rx = r.yes_or_no("rx"), copy = r.yes_or_no("copy");
  if (!rx) return rx.error();
  if (!copy) return copy.error();
  const std::uint32_t size = r.number("size");
  const std::size_t most = buffer_capacity(r.pool());
  if (size < kMinFrame || size > most)
    return Failure{EINVAL, fmt::format("size {} is not within {} and {}", size, kMinFrame, most)};
  EthdevSpec spec;
  spec.devargs = fmt::format("net_null_{},size={},copy={},no-rx={}", r.name(), size, *copy ? 1 : 0,
                             *rx ? 0 : 1);
  spec.device = "null";
  spec.queues = r.queues();
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.frame_capacity = most;
  spec.offloads.sends_chains = true;  // it frees them
  return spec;
}

constexpr pollux_driver kDriver = make_driver<plan>(
    "null", "takes everything, delivers nothing or frames of zeros without end", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
