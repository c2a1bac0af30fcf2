// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/unix_socket.hh"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace pmd {
namespace {
/// @return 0, or why nobody answers.
int try_connect(const std::string& path, int type) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const bool connected =
      connect(fd, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
              sizeof address) == 0;
  const int error = connected ? 0 : errno;
  close(fd);
  return error;
}
}  // namespace

Outcome<> check_socket_path(const std::string& option, const std::string& path) {
  const std::filesystem::path file{path};
  std::error_code ignored;
  if (!file.is_absolute() || !std::filesystem::is_directory(file.parent_path(), ignored))
    return Failure{
        ENOENT, fmt::format("{} {}: not an absolute path in a folder that exists", option, path)};
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return Failure{ENAMETOOLONG, fmt::format("{} {}: longer than {} bytes", option, path,
                                             sizeof(sockaddr_un::sun_path) - 1)};
  if (std::filesystem::exists(file, ignored) && !std::filesystem::is_socket(file, ignored))
    return Failure{EEXIST, fmt::format("{} {}: is there, and no socket", option, path)};
  return core::Done{};
}

Outcome<> make_way_for_socket(const std::string& option, const std::string& path, int type) {
  const int error = try_connect(path, type);
  if (error == 0 || error == EAGAIN)  // EAGAIN: its queue of connections is full
    return Failure{EADDRINUSE, fmt::format("{} {}: another process listens there", option, path)};
  if (error == ECONNREFUSED) (void)unlink(path.c_str());
  return core::Done{};
}
}  // namespace pmd
