// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/xdp_program.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>

#include "pmd-adapters/descriptor_ledger.hh"

namespace pmd {
namespace {
using Programs = std::unique_ptr<xdp_multiprog, decltype(&xdp_multiprog__close)>;

/// The program that libxdp attaches for AF_XDP, alone or as the only kind behind its dispatcher.
bool is_of_af_xdp(const xdp_multiprog* programs) {
  const auto named = [](const xdp_program* program) {
    const char* name = program != nullptr ? xdp_program__name(program) : nullptr;
    return name != nullptr && std::string_view{name}.starts_with("xsk_def_prog");
  };
  if (xdp_multiprog__is_legacy(programs)) return named(xdp_multiprog__main_prog(programs));
  bool all = xdp_multiprog__program_count(programs) > 0;
  for (const xdp_program* p = nullptr; (p = xdp_multiprog__next_prog(p, programs)) != nullptr;)
    all = all && named(p);
  return all;
}

/// Whether a program would give a packet of some queue to a socket. The kernel takes a socket out
/// of the program's map when it is closed, so a packet that is only tried says whether one is open;
/// the map itself cannot be read. @return true also where the kernel does not try (before 5.15).
bool serves_a_socket(int program, std::uint32_t ifindex, std::uint32_t queues) {
  for (std::uint32_t queue = 0; queue < queues; ++queue) {
    std::array<std::uint8_t, 64> packet{};
    xdp_md context{};
    context.data_end = packet.size();
    context.ingress_ifindex = ifindex;
    context.rx_queue_index = queue;
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = packet.data();
    options.data_size_in = packet.size();
    options.ctx_in = &context;
    options.ctx_size_in = sizeof context;
    options.repeat = 1;
    if (bpf_prog_test_run_opts(program, &options) != 0 || options.retval != XDP_PASS) return true;
  }
  return false;
}
}  // namespace

Outcome<> make_way_for_program(const KernelInterface& interface) {
  const unsigned index = if_nametoindex(interface.name().c_str());
  std::uint32_t id = 0;
  if (bpf_xdp_query_id(static_cast<int>(index), 0, &id) != 0 || id == 0) return core::Done{};
  const Failure busy{EBUSY, fmt::format("interface '{}' has an XDP program already (id {})",
                                        interface.name(), id)};
  const DescriptorLedger left_open;  // libxdp (1.3.1) does not close all that it opens
  xdp_multiprog* found = xdp_multiprog__get_from_ifindex(static_cast<int>(index));
  if (libxdp_get_error(found) != 0) return busy;
  const Programs programs{found, xdp_multiprog__close};
  if (!is_of_af_xdp(found)) return busy;
  const int program = bpf_prog_get_fd_by_id(id);
  if (program < 0) return busy;
  const bool served = serves_a_socket(program, index, interface.channels());
  close(program);
  if (served || xdp_multiprog__detach(found) != 0) return busy;
  return core::Done{};
}
}  // namespace pmd
