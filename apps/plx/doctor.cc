// SPDX-License-Identifier: BSD-3-Clause
// `plx doctor`: is this machine fit for polluxd?
#include "apps/plx/doctor.hh"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "apps/plx/command.hh"

namespace plx {
namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
  std::ifstream in{file};
  std::ostringstream text;
  text << in.rdbuf();
  std::string all = text.str();
  while (!all.empty() && (all.back() == '\n' || all.back() == '\0')) all.pop_back();
  return all;
}

std::vector<fs::path> list_folder(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code none;
  for (fs::directory_iterator it{folder, none}, end; it != end; it.increment(none))
    entries.push_back(it->path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words{text};
  for (std::string w; words >> w;)
    if (w == word) return true;
  return false;
}

std::string kernel_command_line(const std::string& words) {
  return fmt::format(
      "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{} /' /etc/default/grub && update-grub && reboot", words);
}

Findings examine(const fs::path& root) {
  Findings findings;
  for (const auto part : {examine_hugepages, examine_transparent_hugepages, examine_locked_memory,
                          examine_isolation, examine_governor, examine_cpu_flags, examine_iommu,
                          examine_modules, examine_nics, examine_instances})
    part(root, findings);
  return findings;
}

namespace {
const char* to_text(Finding::State state) noexcept {
  switch (state) {
    case Finding::State::Ok: return "ok";
    case Finding::State::Note: return "note";
    case Finding::State::Wrong: return "wrong";
  }
  return "wrong";
}

void print(const Findings& findings) {
  for (const Finding& f : findings) {
    fmt::print("{:<6} {:<22} {}\n", to_text(f.state), f.check, f.is);
    if (!f.should_be.empty()) fmt::print("{:>29} {}\n", "should be:", f.should_be);
    if (!f.command.empty()) fmt::print("{:>29} {}\n", "mend:", f.command);
  }
}

void print_json(const Findings& findings) {
  Json all = Json::array();
  for (const Finding& f : findings)
    all.push_back({{"check", f.check},
                   {"state", to_text(f.state)},
                   {"is", f.is},
                   {"should_be", f.should_be},
                   {"command", f.command}});
  fmt::print("{}\n", all.dump(2, ' ', false, Json::error_handler_t::replace));
}
}  // namespace

void declare_doctor(CLI::App& app, Session& session) {
  const auto root = std::make_shared<std::string>("/");
  CLI::App* command = add_command(
      app, session, "doctor", "what this machine lacks for polluxd, and what mends it",
      [&session, root] {
        const Findings findings = examine(*root);
        session.json ? print_json(findings) : print(findings);
        return std::any_of(findings.begin(), findings.end(),
                           [](const Finding& f) { return f.state == Finding::State::Wrong; })
                   ? 1
                   : 0;
      });
  command->add_option("--root", *root, "folder that holds proc, sys and lib")->group("");
}
}  // namespace plx
