// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/pci_device.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <vector>

namespace pmd {
namespace {
namespace fs = std::filesystem;

/// A hexadecimal number that fills `text`, of `digits` digits at most.
std::optional<std::uint32_t> hex(std::string_view text, std::size_t digits) {
  std::uint32_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, 16);
  if (text.size() > digits || error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return n;
}

/// A number in a file of sysfs, "0x8086".
std::uint32_t read_hex(const fs::path& file) {
  std::string text;
  std::ifstream{file} >> text;
  return hex(std::string_view{text}.substr(text.starts_with("0x") ? 2 : 0), 8).value_or(0);
}

PciDevice read_device(const fs::path& folder) {
  std::error_code none;
  return {folder.filename(), static_cast<std::uint16_t>(read_hex(folder / "vendor")),
          static_cast<std::uint16_t>(read_hex(folder / "device")), read_hex(folder / "class"),
          fs::read_symlink(folder / "driver", none).filename()};
}
}  // namespace

bool PciDevice::is_handed_over() const noexcept {
  return kernel_driver == "vfio-pci" || kernel_driver.find("uio") != std::string::npos;
}

std::string PciDevice::obstacle() const {
  if (is_handed_over()) return {};
  const std::string holder = kernel_driver.empty()
                                 ? "no driver of the kernel hands it over"
                                 : fmt::format("the kernel's driver {} has it", kernel_driver);
  return fmt::format(
      "{}: {}; run: modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {} (the kernel loses the "
      "interface)",
      address, holder, address);
}

bool PciDevice::exists() const {
  std::error_code ignored;
  return fs::exists(fs::path{kSysfs} / address, ignored);
}

std::optional<std::string> pci_address(std::string_view text) {
  std::string_view rest = text;
  std::optional<std::uint32_t> domain = 0;
  if (std::count(rest.begin(), rest.end(), ':') == 2) {
    domain = hex(rest.substr(0, rest.find(':')), 4);
    rest.remove_prefix(rest.find(':') + 1);
  }
  const auto colon = rest.find(':'), dot = rest.find('.');
  if (colon == std::string_view::npos || dot == std::string_view::npos || dot < colon)
    return std::nullopt;
  const auto bus = hex(rest.substr(0, colon), 2);
  const auto slot = hex(rest.substr(colon + 1, dot - colon - 1), 2);
  const auto function = hex(rest.substr(dot + 1), 1);
  if (!domain || !bus || !slot || !function || *slot > 0x1f || *function > 7) return std::nullopt;
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", *domain, *bus, *slot, *function);
}

Outcome<PciDevice> find_pci_device(std::string_view address, std::string_view sysfs) {
  const auto full = pci_address(address);
  if (!full)
    return Failure{EINVAL, fmt::format("\"{}\" is not a PCI address: expected 0000:03:00.0 or "
                                       "03:00.0",
                                       address)};
  const fs::path folder = fs::path{sysfs} / *full;
  std::error_code ignored;
  if (!fs::exists(folder, ignored))
    return Failure{ENODEV,
                   fmt::format("no PCI device {}; lspci -D lists those that there are", *full)};
  return read_device(folder);
}

Outcome<PciDevice> find_pci_device_by_id(std::string_view id,
                                         const std::function<bool(const std::string&)>& in_use,
                                         std::string_view sysfs) {
  const auto colon = std::min(id.find(':'), id.size());
  const auto vendor = hex(id.substr(0, colon), 4);
  const auto device = hex(id.substr(std::min(colon + 1, id.size())), 4);
  if (!vendor || !device)
    return Failure{EINVAL, fmt::format("id \"{}\" is not VENDOR:DEVICE in hexadecimal, such as "
                                       "8086:10d3",
                                       id)};
  std::vector<fs::path> folders;
  std::error_code ignored;  // a machine without PCI has no such folder
  for (fs::directory_iterator it{sysfs, ignored}, end; it != end; it.increment(ignored))
    folders.push_back(it->path());
  std::sort(folders.begin(), folders.end());
  std::string why;
  for (const fs::path& folder : folders) {
    PciDevice d = read_device(folder);
    if (d.vendor != *vendor || d.device != *device || !d.is_network()) continue;
    if (in_use(d.address)) {
      why += fmt::format("{}{} is in use", why.empty() ? "" : "; ", d.address);
    } else if (!d.is_handed_over()) {
      why += fmt::format("{}{}", why.empty() ? "" : "; ", d.obstacle());
    } else {
      return d;
    }
  }
  if (why.empty()) return Failure{ENODEV, fmt::format("no network device with the id {}", id)};
  return Failure{EBUSY, fmt::format("no unused device with the id {}: {}", id, why)};
}
}  // namespace pmd
