// SPDX-License-Identifier: BSD-3-Clause
// A configuration file of any content: it is read, or refused with the place of the mistake; what
// is read can be saved and read again, and compared with what runs.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/config_save.hh"
#include "apps/polluxd/configuration.hh"
#include "core/log.hh"
#include "tests/fuzz/fuzz.hh"
#include "tests/fuzz/gateway.hh"
#include "tests/support/eal.hh"

namespace {
/// A file that is only memory.
class MemoryFile {
public:
  explicit MemoryFile(fuzz::Input content) : fd_{memfd_create("config", 0)} {
    fuzz::require(fd_ >= 0, "a file in memory can be made");
    const auto written = write(fd_, content.data(), content.size());
    fuzz::require(written == static_cast<ssize_t>(content.size()), "it takes the content");
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

private:
  int fd_;
};

/// What is written of a configuration gives the same when it is read.
void expect_round_trip(const polluxd::Config& config) {
  const std::string text = polluxd::to_toml(config);
  const auto again = polluxd::parse_config("saved", text, {});
  fuzz::require(static_cast<bool>(again), "what is saved can be read");
  fuzz::require(polluxd::to_toml(again->config) == text, "and is the same");
}

/// Compared with what a gateway runs. Inputs reach no driver object, and no key.
void plan(polluxd::ConfigFile file) {
  static const polluxd::DriverRegistry drivers{{}};
  for (const polluxd::InterfaceSpec& i : file.config.interfaces)
    if (i.driver != "vlan") return;
  file.config.sas.clear();
  const polluxd::Configuration configuration{fuzz::gateway().manager, drivers, {}, {}};
  const auto made = configuration.plan(std::move(file));
  fuzz::require(!made || !made->changes.empty(), "no file has the gateway's interfaces");
}
}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  core::log::set_level(core::log::Level::Error);
  test::eal_up();
  fuzz::gateway().configure();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file{{data, size}};
  const auto config = polluxd::read_config(file.path());
  const std::string text(data, data + size);
  auto parsed = polluxd::parse_config("config", text, {});
  if (parsed) {
    expect_round_trip(parsed->config);
    plan(*std::move(parsed));
  }
  if (config) return 0;
  const std::string& why = config.error().context;
  fuzz::require(why.starts_with(file.path() + ":"), "a refusal begins with file and place");
  return 0;
}
