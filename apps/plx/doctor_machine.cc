// SPDX-License-Identifier: BSD-3-Clause
// Memory and processors.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <sstream>

#include "apps/plx/doctor.hh"

namespace plx {
namespace fs = std::filesystem;
namespace {
using State = Finding::State;

std::uint64_t number_in(const fs::path& file) {
  return std::strtoull(read_text(file).c_str(), nullptr, 10);
}

/// "node0" to "0"; empty where it is something else.
std::string number_behind(const std::string& name, std::string_view front) {
  if (!name.starts_with(front)) return {};
  const std::string digits = name.substr(front.size());
  const bool all = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
  return all ? digits : std::string{};
}

/// How many CPUs there are, by their folders.
std::size_t count_cpus(const fs::path& root) {
  std::size_t n = 0;
  for (const fs::path& entry : list_folder(root / "sys/devices/system/cpu"))
    n += number_behind(entry.filename(), "cpu").empty() ? 0 : 1;
  return n;
}

void examine_pages_of(const fs::path& node, const std::string& number, Findings& findings) {
  constexpr std::uint64_t kWanted_kib = std::uint64_t{512} << 10;
  std::uint64_t reserved_kib = 0, free_kib = 0;
  std::uint64_t smallest_kib = 0;
  std::string sizes, smallest;
  for (const fs::path& size : list_folder(node / "hugepages")) {
    const std::string name = size.filename();
    const std::uint64_t kib = std::strtoull(name.c_str() + name.find('-') + 1, nullptr, 10);
    const std::uint64_t reserved = number_in(size / "nr_hugepages");
    const std::uint64_t free = number_in(size / "free_hugepages");
    reserved_kib += reserved * kib;
    free_kib += free * kib;
    sizes +=
        fmt::format("{}{} of {} of {} kB free", sizes.empty() ? "" : ", ", free, reserved, kib);
    if (smallest_kib == 0 || kib < smallest_kib) {
      smallest = name;
      smallest_kib = kib;
    }
  }
  Finding f{.check = "hugepages node " + number, .is = sizes.empty() ? "none" : sizes};
  if (reserved_kib < kWanted_kib) {
    f.state = State::Wrong;
    f.should_be =
        "512 MiB or more; without them polluxd runs, slower, on ordinary pages, and "
        "drives no PCI device";
    if (smallest_kib != 0)
      f.command = fmt::format("echo {} > /sys/devices/system/node/node{}/hugepages/{}/nr_hugepages",
                              (kWanted_kib + smallest_kib - 1) / smallest_kib, number, smallest);
  } else if (free_kib == 0) {
    f.state = State::Note;
    f.should_be = "some free, for another instance to start";
  }
  findings.push_back(std::move(f));
}
}  // namespace

void examine_hugepages(const fs::path& root, Findings& findings) {
  const std::size_t before = findings.size();
  for (const fs::path& node : list_folder(root / "sys/devices/system/node"))
    if (const std::string n = number_behind(node.filename(), "node"); !n.empty())
      examine_pages_of(node, n, findings);
  if (findings.size() == before)
    findings.push_back({"hugepages", State::Wrong, "the kernel has none",
                        "a kernel with CONFIG_HUGETLBFS and CONFIG_NUMA", ""});
}

void examine_transparent_hugepages(const fs::path& root, Findings& findings) {
  const std::string text = read_text(root / "sys/kernel/mm/transparent_hugepage/enabled");
  Finding f{.check = "transparent hugepages", .is = text.empty() ? "none" : text};
  if (text.find("[always]") != std::string::npos) {
    f.state = State::Wrong;
    f.should_be = "madvise or never: moving pages about halts workers";
    f.command = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
  }
  findings.push_back(std::move(f));
}

void examine_locked_memory(const fs::path& root, Findings& findings) {
  constexpr std::uint64_t kWanted = std::uint64_t{64} << 20;  // bytes: keys, and rings of AF_XDP
  std::istringstream limits{read_text(root / "proc/self/limits")};
  constexpr std::string_view kName = "Max locked memory";
  for (std::string line; std::getline(limits, line);) {
    if (!line.starts_with(kName)) continue;
    std::istringstream values{line.substr(kName.size())};
    std::string soft;
    values >> soft;
    Finding f{.check = "locked memory", .is = soft == "unlimited" ? soft : soft + " bytes"};
    if (soft != "unlimited" && std::strtoull(soft.c_str(), nullptr, 10) < kWanted) {
      f.state = State::Wrong;
      f.should_be = "unlimited, for keys, AF_XDP and vfio (LimitMEMLOCK=infinity in a unit)";
      f.command = "ulimit -l unlimited";
    }
    return findings.push_back(std::move(f));
  }
}

void examine_isolation(const fs::path& root, Findings& findings) {
  const std::string line = read_text(root / "proc/cmdline");
  const std::size_t cpus = count_cpus(root);
  std::vector<std::string> missing, found;
  const std::string workers = cpus == 2 ? "1" : fmt::format("1-{}", cpus - 1);
  for (const char* word : {"isolcpus", "nohz_full", "rcu_nocbs"}) {
    std::istringstream words{line};
    std::string value;
    for (std::string w; words >> w;)
      if (w.starts_with(std::string{word} + '=')) value = w;
    value.empty() ? missing.push_back(fmt::format("{}={}", word, workers)) : found.push_back(value);
  }
  Finding f{.check = "isolated CPUs",
            .is = found.empty() ? fmt::format("none of {}", cpus)
                                : fmt::format("{}", fmt::join(found, " "))};
  if (cpus < 2) {
    f.state = State::Note;
    f.should_be = "two CPUs or more, so that workers can have their own";
  } else if (!missing.empty()) {
    f.state = State::Wrong;
    f.should_be = fmt::format("the workers' CPUs left to them: {}", fmt::join(missing, " "));
    f.command = kernel_command_line(fmt::format("{}", fmt::join(missing, " ")));
  }
  findings.push_back(std::move(f));
}

void examine_governor(const fs::path& root, Findings& findings) {
  std::set<std::string> governors;
  for (const fs::path& cpu : list_folder(root / "sys/devices/system/cpu"))
    if (const std::string g = read_text(cpu / "cpufreq/scaling_governor"); !g.empty())
      governors.insert(g);
  Finding f{.check = "frequency governor", .is = fmt::format("{}", fmt::join(governors, ", "))};
  if (governors.empty()) {
    f.is = "none: the frequency is not the kernel's to set";
  } else if (governors != std::set<std::string>{"performance"}) {
    f.state = State::Wrong;
    f.should_be = "performance on every CPU";
    f.command = "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
  }
  findings.push_back(std::move(f));
}

void examine_cpu_flags(const fs::path& root, Findings& findings) {
  std::istringstream lines{read_text(root / "proc/cpuinfo")};
  std::string flags;
  for (std::string line; flags.empty() && std::getline(lines, line);)
    if (line.starts_with("flags")) flags = line;
  constexpr std::array<std::array<const char*, 3>, 5> kFlags{{
      {"aes", "AES", "IPsec"},
      {"pclmulqdq", "PCLMUL", "IPsec"},
      {"avx2", "AVX2", "route lookup"},
      {"avx512f", "AVX-512", "route lookup and IPsec"},
      {"vaes", "VAES", "IPsec"},
  }};
  std::vector<std::string> has, lacks;
  for (const auto& [flag, name, use] : kFlags)
    if (has_word(flags, flag))
      has.emplace_back(name);
    else
      lacks.push_back(fmt::format("{} ({})", name, use));
  Finding f{
      .check = "CPU instructions",
      .is = has.empty() ? "none of those that matter" : fmt::format("{}", fmt::join(has, ", "))};
  if (!lacks.empty()) {
    // AES-GCM without these two is slower by an order of magnitude; the others only help.
    const bool needed = !has_word(flags, "aes") || !has_word(flags, "pclmulqdq");
    f.state = needed ? State::Wrong : State::Note;
    f.should_be = fmt::format("also {}; a guest sees what its host gives it (-cpu host)",
                              fmt::join(lacks, ", "));
  }
  findings.push_back(std::move(f));
}
}  // namespace plx
