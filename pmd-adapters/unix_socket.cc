// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/unix_socket.hh"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace pmd {
namespace {
sockaddr_un address_of(const std::string& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

const sockaddr* generic(const sockaddr_un& address) noexcept {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

/// @return 0, or why nobody answers.
int try_connect(const std::string& path, int type) noexcept {
  const sockaddr_un address = address_of(path);
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error = connect(fd, generic(address), sizeof address) == 0 ? 0 : errno;
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
  if (answers(path, type))
    return Failure{EADDRINUSE, fmt::format("{} {}: another process listens there", option, path)};
  std::error_code ignored;
  if (std::filesystem::is_socket(path, ignored)) (void)unlink(path.c_str());
  return core::Done{};
}

OwnedDescriptor::~OwnedDescriptor() {
  if (fd_ >= 0) close(fd_);
}

OwnedDescriptor call_socket(const std::string& path, int type) noexcept {
  const sockaddr_un address = address_of(path);
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, generic(address), sizeof address) == 0) return OwnedDescriptor{fd};
  close(fd);
  return OwnedDescriptor{-1};
}

bool answers(const std::string& path, int type) noexcept {
  const int error = try_connect(path, type);
  // EAGAIN: its queue of connections is full. EPROTOTYPE: a server of another kind.
  return error == 0 || error == EAGAIN || error == EPROTOTYPE;
}

Outcome<ListeningSocket> listen_at(const std::string& option, const std::string& path, int type) {
  if (auto done = make_way_for_socket(option, path, type); !done) return done.error();
  const auto failure = [&] {
    const int error = errno;
    return Failure{error,
                   fmt::format("{} {}: cannot listen there: {}", option, path, strerror(error))};
  };
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failure();
  ListeningSocket it{{}, fd};
  const sockaddr_un address = address_of(path);
  if (bind(fd, generic(address), sizeof address) != 0) return failure();
  it.path_ = path;
  if (listen(fd, 1) != 0) return failure();
  return it;
}

bool ListeningSocket::has_caller(std::chrono::milliseconds patience) const noexcept {
  pollfd wait{fd_, POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(patience.count())) == 1;
}

ListeningSocket::~ListeningSocket() {
  if (fd_ < 0) return;
  if (!path_.empty()) (void)unlink(path_.c_str());
  close(fd_);
}
}  // namespace pmd
