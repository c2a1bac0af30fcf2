// SPDX-License-Identifier: BSD-3-Clause
// What NICs need, and who uses them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "apps/plx/doctor.hh"

namespace plx {
namespace fs = std::filesystem;
namespace {
using State = Finding::State;

constexpr std::array<const char*, 3> kForDpdk{"vfio-pci", "uio_pci_generic", "igb_uio"};

/// The kernel's driver of a device; empty: none.
std::string driver_of(const fs::path& device) {
  std::error_code none;
  return fs::read_symlink(device / "driver", none).filename();
}

/// As it stands below /sys/module.
std::string module_folder(std::string name) {
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

bool is_loaded(const fs::path& root, const std::string& module) {
  return fs::exists(root / "sys/module" / module_folder(module));
}

bool is_installed(const fs::path& root, const std::string& module) {
  const std::string release = read_text(root / "proc/sys/kernel/osrelease");
  for (const char* list : {"modules.dep", "modules.builtin"})
    if (read_text(root / "lib/modules" / release / list).find('/' + module + ".ko") !=
        std::string::npos)
      return true;
  return false;
}

/// The driver that hands NICs to polluxd here.
const char* wanted_module(const fs::path& root) {
  return has_iommu(root) ? "vfio-pci" : "uio_pci_generic";
}
}  // namespace

std::vector<fs::path> pci_nics(const fs::path& root) {
  std::vector<fs::path> nics;
  for (const fs::path& device : list_folder(root / "sys/bus/pci/devices"))
    if (read_text(device / "class").starts_with("0x02")) nics.push_back(device);
  return nics;
}

bool has_iommu(const fs::path& root) {
  return !list_folder(root / "sys/class/iommu").empty();
}

void examine_iommu(const fs::path& root, Findings& findings) {
  const std::string line = read_text(root / "proc/cmdline");
  std::vector<std::string> words;
  for (const char* word : {"intel_iommu=on", "amd_iommu=on", "iommu=pt"})
    if (has_word(line, word)) words.emplace_back(word);
  std::vector<std::string> units;
  for (const fs::path& unit : list_folder(root / "sys/class/iommu"))
    units.push_back(unit.filename());
  Finding f{.check = "IOMMU",
            .is = units.empty() ? "off" : fmt::format("on: {}", fmt::join(units, ", "))};
  if (!words.empty()) f.is += fmt::format(" (kernel command line: {})", fmt::join(words, " "));
  if (units.empty() && pci_nics(root).empty()) {
    f.is += "; no PCI network device needs it";
  } else if (units.empty()) {
    f.state = State::Wrong;
    f.should_be =
        "on, so that a device reaches only polluxd's memory (VT-d or AMD-Vi also in the "
        "firmware; a guest needs an emulated one)";
    // AMD's is on unless the firmware has switched it off.
    const bool amd = has_word(read_text(root / "proc/cpuinfo"), "AuthenticAMD");
    f.command = kernel_command_line(amd ? "iommu=pt" : "intel_iommu=on iommu=pt");
  } else if (!has_word(line, "iommu=pt")) {
    f.state = State::Note;
    f.should_be = "iommu=pt, which spares the kernel's own devices the translation";
    f.command = kernel_command_line("iommu=pt");
  }
  findings.push_back(std::move(f));
}

void examine_modules(const fs::path& root, Findings& findings) {
  const bool needed = !pci_nics(root).empty();
  const std::string wanted = wanted_module(root);
  for (const std::string module : {"vfio-pci", "uio_pci_generic"}) {
    const bool loaded = is_loaded(root, module), installed = loaded || is_installed(root, module);
    Finding f{.check = "module " + module,
              .is = loaded      ? "loaded"
                    : installed ? "installed, not loaded"
                                : "not installed"};
    if (!loaded && needed && module == wanted) {
      f.state = State::Wrong;
      f.should_be = has_iommu(root) ? "loaded" : "loaded: the one that works without an IOMMU";
      f.command =
          (installed ? "" : "apt-get install linux-image-amd64 && ") + ("modprobe " + module);
    }
    findings.push_back(std::move(f));
  }
}

void examine_nics(const fs::path& root, Findings& findings) {
  for (const fs::path& device : pci_nics(root)) {
    const std::string address = device.filename();
    const std::string driver = driver_of(device), node = read_text(device / "numa_node");
    const auto id = [&](const char* file) {
      const std::string text = read_text(device / file);
      return text.starts_with("0x") ? text.substr(2) : text;
    };
    std::vector<std::string> names;
    for (const fs::path& net : list_folder(device / "net")) names.push_back(net.filename());
    Finding f{.check = "NIC " + address,
              .is = fmt::format("{}:{}, NUMA node {}, driver {}", id("vendor"), id("device"),
                                node.empty() || node == "-1" ? "unknown" : node,
                                driver.empty() ? "none" : driver)};
    if (!names.empty()) f.is += fmt::format(" as {}", fmt::join(names, ", "));
    bool ours = false;
    for (const char* name : kForDpdk) ours = ours || driver == name;
    if (!ours) {
      f.state = State::Note;
      f.should_be = fmt::format("{}, if polluxd shall have it; the kernel then has it no more",
                                wanted_module(root));
      f.command = fmt::format("dpdk-devbind.py --bind={} {}", wanted_module(root), address);
    }
    findings.push_back(std::move(f));
  }
}

void examine_instances(const fs::path& root, Findings& findings) {
  std::size_t n = 0;
  for (const fs::path& process : list_folder(root / "proc")) {
    const std::string pid = process.filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_text(process / "comm") != "polluxd") continue;
    std::string line = read_text(process / "cmdline");
    for (char& c : line)
      if (c == '\0') c = ' ';
    findings.push_back({"polluxd", State::Ok, fmt::format("process {}: {}", pid, line), "", ""});
    ++n;
  }
  if (n == 0) findings.push_back({"polluxd", State::Note, "none is running", "", ""});
}
}  // namespace plx
