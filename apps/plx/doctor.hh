// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace plx {
/// What was found out about one thing of the machine.
struct Finding {
  enum class State : unsigned char {
    Ok,
    Note,   ///< neither right nor wrong: the user decides
    Wrong,  ///< slower than need be, or impossible
  };
  std::string check;  ///< "hugepages node 0"
  State state = State::Ok;
  std::string is{};         ///< what there is
  std::string should_be{};  ///< empty where it is so
  std::string command{};    ///< that mends it; empty: none does
};
using Findings = std::vector<Finding>;

/// Looks at everything that polluxd's speed, or its start, depends on. Reads only.
/// @param root  of the tree that holds proc, sys and lib; "/" but in tests.
[[nodiscard]] Findings examine(const std::filesystem::path& root);

// Its parts. doctor_machine.cc: memory and processors; doctor_devices.cc: what NICs need.
void examine_hugepages(const std::filesystem::path& root, Findings& findings);
void examine_transparent_hugepages(const std::filesystem::path& root, Findings& findings);
void examine_locked_memory(const std::filesystem::path& root, Findings& findings);
void examine_isolation(const std::filesystem::path& root, Findings& findings);
void examine_governor(const std::filesystem::path& root, Findings& findings);
void examine_cpu_flags(const std::filesystem::path& root, Findings& findings);
void examine_iommu(const std::filesystem::path& root, Findings& findings);
void examine_modules(const std::filesystem::path& root, Findings& findings);
void examine_nics(const std::filesystem::path& root, Findings& findings);
void examine_instances(const std::filesystem::path& root, Findings& findings);

// What they read with. All take what is missing for empty.
[[nodiscard]] std::string read_text(
    const std::filesystem::path& file);  ///< without its last newline
[[nodiscard]] std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);
[[nodiscard]] bool has_word(const std::string& text, const std::string& word);
/// Addresses of the PCI devices of class network.
[[nodiscard]] std::vector<std::filesystem::path> pci_nics(const std::filesystem::path& root);
[[nodiscard]] bool has_iommu(const std::filesystem::path& root);
/// The command that puts words on the kernel's command line for the next start.
[[nodiscard]] std::string kernel_command_line(const std::string& words);
}  // namespace plx
