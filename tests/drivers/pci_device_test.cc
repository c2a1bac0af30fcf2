// SPDX-License-Identifier: BSD-3-Clause
// PCI devices as /sys shows them, in a folder that looks like it.
#include "pmd-adapters/pci_device.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class Pci : public testing::Test {
protected:
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }
  void add(const std::string& address, const char* vendor, const char* device,
           const char* device_class, const std::string& driver = "") const {
    const fs::path at = folder / address;
    fs::create_directories(at);
    std::ofstream{at / "vendor"} << vendor << '\n';
    std::ofstream{at / "device"} << device << '\n';
    std::ofstream{at / "class"} << device_class << '\n';
    if (!driver.empty()) fs::create_symlink("../../drivers/" + driver, at / "driver");
  }
  [[nodiscard]] auto find(const std::string& address) const {
    return pmd::find_pci_device(address, folder.native());
  }
  [[nodiscard]] auto find_by_id(const std::string& id, const std::string& used = "") const {
    return pmd::find_pci_device_by_id(
        id, [&](const std::string& address) { return address == used; }, folder.native());
  }
  const fs::path folder = fs::temp_directory_path() / ("plx-pci-" + std::to_string(getpid()));
};

TEST(PciAddress, IsCompleted) {
  EXPECT_EQ(pmd::pci_address("03:00.0"), "0000:03:00.0");
  EXPECT_EQ(pmd::pci_address("0001:af:1f.7"), "0001:af:1f.7");
  EXPECT_EQ(pmd::pci_address("AF:0a.1"), "0000:af:0a.1");
  for (const char* text :
       {"", "03:00", "3", "03:20.0", "03:00.8", "03:00.00", "0:0:0:0.0", "03.00:0", "103:00.0",
        "x3:00.0", "net_tap0", "03:00.0 ", ":00.0", "03:.0"})
    EXPECT_FALSE(pmd::pci_address(text)) << text;
}

TEST_F(Pci, IsReadFromSysfs) {
  add("0000:03:00.0", "0x8086", "0x10d3", "0x020000", "e1000e");
  const auto device = find("03:00.0");
  ASSERT_TRUE(device);
  EXPECT_EQ(device->address, "0000:03:00.0");
  EXPECT_EQ(device->vendor, 0x8086);
  EXPECT_EQ(device->device, 0x10d3);
  EXPECT_TRUE(device->is_network());
  EXPECT_FALSE(device->is_handed_over());
  EXPECT_THAT(device->obstacle(), HasSubstr("the kernel's driver e1000e has it"));
  EXPECT_THAT(device->obstacle(), HasSubstr("dpdk-devbind.py --bind=vfio-pci 0000:03:00.0"));
}

TEST_F(Pci, IsHandedOverByVfioAndUio) {
  int slot = 0;
  for (const char* driver : {"vfio-pci", "uio_pci_generic", "igb_uio"}) {
    const std::string address = "0000:03:0" + std::to_string(slot++) + ".0";
    add(address, "0x8086", "0x10d3", "0x020000", driver);
    EXPECT_EQ(find(address)->obstacle(), "") << driver;
  }
  add("0000:03:0a.0", "0x8086", "0x10d3", "0x020000");
  EXPECT_THAT(find("03:0a.0")->obstacle(), HasSubstr("no driver of the kernel hands it over"));
}

TEST_F(Pci, RefusesWhatIsNotThere) {
  EXPECT_EQ(find("04:00.0").error().error, ENODEV);
  EXPECT_THAT(find("04:00.0").error().text, HasSubstr("no PCI device 0000:04:00.0"));
  EXPECT_EQ(find("eth0").error().error, EINVAL);
  EXPECT_THAT(find("eth0").error().text, HasSubstr("expected 0000:03:00.0 or 03:00.0"));
}

TEST_F(Pci, FindsTheFirstUnusedById) {
  add("0000:00:01.0", "0x8086", "0x10d3", "0x010000", "vfio-pci");  // no network device
  add("0000:00:04.0", "0x8086", "0x10d3", "0x020000", "vfio-pci");
  add("0000:00:03.0", "0x8086", "0x10d3", "0x020000", "vfio-pci");
  add("0000:00:02.0", "0x8086", "0x10d3", "0x020000", "e1000e");
  EXPECT_EQ(find_by_id("8086:10d3")->address, "0000:00:03.0");
  EXPECT_EQ(find_by_id("8086:10D3", "0000:00:03.0")->address, "0000:00:04.0");
  EXPECT_THAT(find_by_id("8086:1234").error().text, HasSubstr("no network device with the id"));
  for (const char* id : {"8086", "8086:", ":10d3", "8086:10d3:1", "18086:10d3", "intel:10d3"})
    EXPECT_EQ(find_by_id(id).error().error, EINVAL) << id;
}

TEST_F(Pci, SaysWhyNoneOfAnIdCanBeHad) {
  add("0000:00:02.0", "0x8086", "0x10d3", "0x020000", "e1000e");
  add("0000:00:03.0", "0x8086", "0x10d3", "0x020000", "vfio-pci");
  const auto refused = find_by_id("8086:10d3", "0000:00:03.0");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, EBUSY);
  EXPECT_THAT(refused.error().text, HasSubstr("e1000e has it"));
  EXPECT_THAT(refused.error().text, HasSubstr("0000:00:03.0 is in use"));
}
}  // namespace
