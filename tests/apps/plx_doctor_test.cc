// SPDX-License-Identifier: BSD-3-Clause
// plx doctor: a machine made of files, good, and with one thing wrong at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/plx/command_line.hh"
#include "apps/plx/doctor.hh"
#include "tests/apps/temporary_folder.hh"

namespace {
namespace fs = std::filesystem;
using plx::Finding;
using State = plx::Finding::State;
using testing::HasSubstr;

constexpr const char* kNode = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/";
constexpr const char* kHugeNode = "sys/devices/system/node/node0/hugepages/hugepages-1048576kB/";
constexpr const char* kTransparent = "sys/kernel/mm/transparent_hugepage/enabled";
constexpr const char* kNic = "sys/bus/pci/devices/0000:03:00.0/";
constexpr const char* kCommandLine =
    "root=/dev/vda1 isolcpus=1-3 nohz_full=1-3 rcu_nocbs=1-3 intel_iommu=on iommu=pt";

/// The command line without one word.
std::string without(const std::string& word) {
  std::string line = kCommandLine;
  line.erase(line.find(word), word.size() + (line.ends_with(word) ? 0 : 1));
  return line;
}

class Machine {
public:
  /// Nothing is wrong with it.
  Machine() {
    write(std::string{kNode} + "nr_hugepages", "512");
    write(std::string{kNode} + "free_hugepages", "500");
    write(kTransparent, "always [madvise] never");
    limit("unlimited");
    write("proc/cmdline", kCommandLine);
    cpus(4);
    write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
    flags("fpu aes pclmulqdq avx2 avx512f vaes");
    fs::create_directories(root / "sys/class/iommu/dmar0");
    fs::create_directories(root / "sys/module/vfio_pci");
    fs::create_directories(root / "sys/module/uio_pci_generic");
    write("proc/sys/kernel/osrelease", "6.1.0");
    nic("0000:03:00.0", "vfio-pci");
    write("sys/bus/pci/devices/0000:00:02.0/class", "0x030000");  // a graphics card
    write("proc/812/comm", "polluxd");
    write("proc/812/cmdline", std::string{"polluxd\0-i\0"
                                          "1\0",
                                          13});
    write("proc/813/comm", "bash");
  }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root / file).parent_path());
    std::ofstream{root / file, std::ios::binary} << text << '\n';
  }
  void remove(const std::string& file) const { fs::remove_all(root / file); }
  void limit(const std::string& soft) const {
    write("proc/self/limits",
          "Limit                     Soft Limit           Hard Limit           Units\n"
          "Max file locks            unlimited            unlimited            locks\n"
          "Max locked memory         " +
              soft + "            unlimited            bytes");
  }
  void cpus(unsigned n) const {
    remove("sys/devices/system/cpu");
    for (unsigned cpu = 0; cpu < n; ++cpu)
      write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/scaling_governor",
            "performance");
    fs::create_directories(root / "sys/devices/system/cpu/cpuidle");
  }
  void flags(const std::string& words) const {
    write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: " + words);
  }
  void nic(const std::string& address, const std::string& driver) const {
    const std::string folder = "sys/bus/pci/devices/" + address + '/';
    write(folder + "class", "0x020000");
    write(folder + "vendor", "0x8086");
    write(folder + "device", "0x1572");
    write(folder + "numa_node", "0");
    fs::remove(root / folder / "driver");
    if (!driver.empty())
      fs::create_directory_symlink("../../drivers/" + driver, root / folder / "driver");
  }
  [[nodiscard]] std::vector<Finding> findings(const std::string& check) const {
    std::vector<Finding> found;
    for (const Finding& f : plx::examine(root))
      if (f.check == check) found.push_back(f);
    return found;
  }

private:
  test::TemporaryFolder folder_;

public:
  const fs::path root = folder_ / "";
};

TEST(Doctor, FindsNothingWrongWithAGoodMachine) {
  const Machine machine;
  const auto findings = plx::examine(machine.root);
  for (const Finding& f : findings) {
    EXPECT_EQ(f.state, State::Ok) << f.check << ": " << f.is;
    EXPECT_EQ(f.should_be + f.command, "") << f.check;
  }
  std::vector<std::string> shown;
  for (const Finding& f : findings) shown.push_back(f.check + ": " + f.is);
  EXPECT_THAT(
      shown, testing::ElementsAre("hugepages node 0: 500 of 512 of 2048 kB free",
                                  "transparent hugepages: always [madvise] never",
                                  "locked memory: unlimited",
                                  "isolated CPUs: isolcpus=1-3 nohz_full=1-3 rcu_nocbs=1-3",
                                  "frequency governor: performance",
                                  "CPU instructions: AES, PCLMUL, AVX2, AVX-512, VAES",
                                  "IOMMU: on: dmar0 (kernel command line: intel_iommu=on iommu=pt)",
                                  "module vfio-pci: loaded", "module uio_pci_generic: loaded",
                                  "NIC 0000:03:00.0: 8086:1572, NUMA node 0, driver vfio-pci",
                                  "polluxd: process 812: polluxd -i 1"));
}

struct Ill {
  const char* name;
  std::function<void(const Machine&)> spoil;
  const char* check;
  State state;
  const char *is, *should_be;  ///< parts
  std::string command;         ///< whole
};

std::string kernel_line(const std::string& words) {
  return "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&" + words +
         " /' /etc/default/grub && update-grub && reboot";
}

const std::vector<Ill> kIlls{
    {"FewHugepages", [](const Machine& m) { m.write(std::string{kNode} + "nr_hugepages", "255"); },
     "hugepages node 0", State::Wrong, "500 of 255", "512 MiB or more",
     "echo 256 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"},
    {"OnlyHugepagesOfAGiB",
     [](const Machine& m) {
       m.remove(kNode);
       m.write(std::string{kHugeNode} + "nr_hugepages", "0");
     },
     "hugepages node 0", State::Wrong, "0 of 0 of 1048576 kB free", "512 MiB or more",
     "echo 1 > /sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages"},
    {"HugepagesAllTaken",
     [](const Machine& m) { m.write(std::string{kNode} + "free_hugepages", "0"); },
     "hugepages node 0", State::Note, "0 of 512", "some free", ""},
    {"NoHugepagesInTheKernel", [](const Machine& m) { m.remove("sys/devices/system/node"); },
     "hugepages", State::Wrong, "the kernel has none", "CONFIG_HUGETLBFS", ""},
    {"TransparentHugepages",
     [](const Machine& m) { m.write(kTransparent, "[always] madvise never"); },
     "transparent hugepages", State::Wrong, "[always]", "madvise or never",
     "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"},
    {"LittleLockedMemory", [](const Machine& m) { m.limit("8388608"); }, "locked memory",
     State::Wrong, "8388608 bytes", "unlimited", "ulimit -l unlimited"},
    {"NoIsolation",
     [](const Machine& m) { m.write("proc/cmdline", "root=/dev/vda1 intel_iommu=on iommu=pt"); },
     "isolated CPUs", State::Wrong, "none of 4", "isolcpus=1-3 nohz_full=1-3 rcu_nocbs=1-3",
     kernel_line("isolcpus=1-3 nohz_full=1-3 rcu_nocbs=1-3")},
    {"IsolationByHalf", [](const Machine& m) { m.write("proc/cmdline", without("rcu_nocbs=1-3")); },
     "isolated CPUs", State::Wrong, "isolcpus=1-3 nohz_full=1-3", "rcu_nocbs=1-3",
     kernel_line("rcu_nocbs=1-3")},
    {"TwoCpus",
     [](const Machine& m) {
       m.cpus(2);
       m.write("proc/cmdline", "");
     },
     "isolated CPUs", State::Wrong, "none of 2", "isolcpus=1 ",
     kernel_line("isolcpus=1 nohz_full=1 rcu_nocbs=1")},
    {"OneCpu", [](const Machine& m) { m.cpus(1); }, "isolated CPUs", State::Note, "1-3",
     "two CPUs or more", ""},
    {"SavesPower",
     [](const Machine& m) {
       m.write("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave");
     },
     "frequency governor", State::Wrong, "performance, powersave", "performance on every CPU",
     "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"},
    {"NoAes", [](const Machine& m) { m.flags("avx2 avx512f vaes pclmulqdq"); }, "CPU instructions",
     State::Wrong, "PCLMUL, AVX2, AVX-512, VAES", "also AES (IPsec);", ""},
    {"NoAvx512", [](const Machine& m) { m.flags("aes pclmulqdq avx2"); }, "CPU instructions",
     State::Note, "AES, PCLMUL, AVX2", "AVX-512 (route lookup and IPsec), VAES (IPsec)", ""},
    {"NoIommu", [](const Machine& m) { m.remove("sys/class/iommu"); }, "IOMMU", State::Wrong, "off",
     "VT-d", kernel_line("intel_iommu=on iommu=pt")},
    {"NoIommuOnAmd",
     [](const Machine& m) {
       m.remove("sys/class/iommu");
       m.write("proc/cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: aes");
     },
     "IOMMU", State::Wrong, "off", "AMD-Vi", kernel_line("iommu=pt")},
    {"IommuForAll", [](const Machine& m) { m.write("proc/cmdline", without("iommu=pt")); }, "IOMMU",
     State::Note, "on: dmar0", "iommu=pt", kernel_line("iommu=pt")},
    {"ModuleNotLoaded",
     [](const Machine& m) {
       m.remove("sys/module/vfio_pci");
       m.write("lib/modules/6.1.0/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko.xz: a.ko");
     },
     "module vfio-pci", State::Wrong, "installed, not loaded", "loaded", "modprobe vfio-pci"},
    {"ModuleNotInstalled", [](const Machine& m) { m.remove("sys/module/vfio_pci"); },
     "module vfio-pci", State::Wrong, "not installed", "loaded",
     "apt-get install linux-image-amd64 && modprobe vfio-pci"},
    {"ModuleWithoutIommu",
     [](const Machine& m) {
       m.remove("sys/class/iommu");
       m.remove("sys/module/uio_pci_generic");
       m.write("lib/modules/6.1.0/modules.builtin", "kernel/drivers/uio/uio_pci_generic.ko");
     },
     "module uio_pci_generic", State::Wrong, "installed, not loaded", "works without an IOMMU",
     "modprobe uio_pci_generic"},
    {"NicOfTheKernel",
     [](const Machine& m) {
       m.nic("0000:03:00.0", "i40e");
       m.write(std::string{kNic} + "net/eth1/mtu", "1500");
     },
     "NIC 0000:03:00.0", State::Note, "driver i40e as eth1", "vfio-pci, if polluxd shall have it",
     "dpdk-devbind.py --bind=vfio-pci 0000:03:00.0"},
    {"NicOfNobody",
     [](const Machine& m) {
       m.nic("0000:03:00.0", "");
       m.write(std::string{kNic} + "numa_node", "-1");
       m.remove("sys/class/iommu");
     },
     "NIC 0000:03:00.0", State::Note, "NUMA node unknown, driver none", "uio_pci_generic",
     "dpdk-devbind.py --bind=uio_pci_generic 0000:03:00.0"},
    {"NobodyRuns", [](const Machine& m) { m.remove("proc/812"); }, "polluxd", State::Note,
     "none is running", "", ""},
};

struct DoctorFinds : testing::TestWithParam<Ill> {};

TEST_P(DoctorFinds, WhatIsWrongAndWhatMendsIt) {
  const Ill& ill = GetParam();
  const Machine machine;
  ill.spoil(machine);
  const auto found = machine.findings(ill.check);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].state, ill.state);
  EXPECT_THAT(found[0].is, HasSubstr(ill.is));
  EXPECT_THAT(found[0].should_be, HasSubstr(ill.should_be));
  EXPECT_EQ(found[0].command, ill.command);
}

INSTANTIATE_TEST_SUITE_P(All, DoctorFinds, testing::ValuesIn(kIlls),
                         [](const auto& ill) { return ill.param.name; });

TEST(Doctor, AsksForNothingWhereNoNicIs) {
  const Machine machine;
  for (const char* file : {"sys/bus", "sys/class/iommu", "sys/module"}) machine.remove(file);
  EXPECT_EQ(machine.findings("IOMMU")[0].state, State::Ok);
  EXPECT_EQ(machine.findings("module vfio-pci")[0].state, State::Ok);
  EXPECT_EQ(machine.findings("module uio_pci_generic")[0].state, State::Ok);
}

TEST(Doctor, LooksAtEachNodeAndEachNic) {
  const Machine machine;
  machine.write("sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "0");
  machine.nic("0000:82:00.1", "ice");
  EXPECT_EQ(machine.findings("hugepages node 0")[0].state, State::Ok);
  EXPECT_THAT(machine.findings("hugepages node 1")[0].command, HasSubstr("node1"));
  EXPECT_THAT(machine.findings("NIC 0000:82:00.1")[0].command, HasSubstr("0000:82:00.1"));
}

TEST(Doctor, BearsAMachineThatTellsNothing) {
  const test::TemporaryFolder folder;
  for (const Finding& f : plx::examine(folder / "")) EXPECT_FALSE(f.is.empty()) << f.check;
}

struct Ran {
  int status;
  std::string out;
};

Ran doctor(const Machine& machine, bool json) {
  const std::string root = machine.root;
  std::vector<const char*> argv{"plx"};
  if (json) argv.push_back("-j");
  for (const char* word : {"doctor", "--root", root.c_str()}) argv.push_back(word);
  testing::internal::CaptureStdout();
  const int status = plx::run(static_cast<int>(argv.size()), argv.data());
  std::fflush(stdout);
  return {status, testing::internal::GetCapturedStdout()};
}

TEST(Doctor, LeavesWithOneWhereSomethingIsWrong) {
  const Machine machine;
  Ran ran = doctor(machine, false);
  EXPECT_EQ(ran.status, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("ok     locked memory          unlimited\n"));
  machine.remove("proc/812");  // a note
  EXPECT_EQ(doctor(machine, false).status, 0);
  machine.limit("65536");
  ran = doctor(machine, false);
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, HasSubstr("wrong  locked memory          65536 bytes\n"));
  EXPECT_THAT(ran.out, HasSubstr("should be: unlimited, for keys"));
  EXPECT_THAT(ran.out, HasSubstr("mend: ulimit -l unlimited\n"));
}

TEST(Doctor, SpeaksJson) {
  const Machine machine;
  machine.limit("65536");
  const Ran ran = doctor(machine, true);
  EXPECT_EQ(ran.status, 1);
  const auto all = nlohmann::json::parse(ran.out);
  const auto at = std::find_if(all.begin(), all.end(),
                               [](const auto& f) { return f["check"] == "locked memory"; });
  ASSERT_NE(at, all.end());
  EXPECT_EQ((*at)["state"], "wrong");
  EXPECT_EQ((*at)["is"], "65536 bytes");
  EXPECT_EQ((*at)["command"], "ulimit -l unlimited");
}
}  // namespace
