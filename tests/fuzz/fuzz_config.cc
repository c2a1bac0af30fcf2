// SPDX-License-Identifier: BSD-3-Clause
// A configuration file of any content: it is read, or refused with the place of the mistake.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "apps/polluxd/config_file.hh"
#include "tests/fuzz/fuzz.hh"

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
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file{{data, size}};
  const auto config = polluxd::read_config(file.path());
  if (config) return 0;
  const std::string& why = config.error().context;
  fuzz::require(why.starts_with(file.path() + ":"), "a refusal begins with file and place");
  return 0;
}
