// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <chrono>
#include <string>
#include <utility>

#include "pmd-adapters/failure.hh"

namespace pmd {
/// Checks the path of a Unix socket. @param option  what it was given as, for the error.
/// @return done | ENOENT (not an absolute path in a folder that exists) | ENAMETOOLONG | EEXIST
/// (something else has the name).
Outcome<> check_socket_path(const std::string& option, const std::string& path);

/// Makes way for a server's socket: removes the file of one that ended without doing so, at which
/// nobody answers. One that lives sees a connection which is closed at once.
/// @param type  SOCK_STREAM or SOCK_SEQPACKET.  @return done | EADDRINUSE (somebody answers).
Outcome<> make_way_for_socket(const std::string& option, const std::string& path, int type);

/// A descriptor that is closed when it goes.
class OwnedDescriptor {
public:
  explicit OwnedDescriptor(int fd) noexcept : fd_{fd} {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  OwnedDescriptor& operator=(OwnedDescriptor&&) = delete;
  ~OwnedDescriptor();
  explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_;
};

/// A connection to whoever listens at `path`, or none.
[[nodiscard]] OwnedDescriptor call_socket(const std::string& path, int type) noexcept;

/// True when somebody answers at `path`; that one sees a connection which is closed at once.
bool answers(const std::string& path, int type) noexcept;

/// A socket that listens at a path. Let go: callers are hung up on, the file is removed.
class ListeningSocket {
public:
  ListeningSocket(ListeningSocket&& other) noexcept
      : path_{std::move(other.path_)}, fd_{std::exchange(other.fd_, -1)} {}
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();
  /// Waits until somebody has called, `patience` at most. The call stays unanswered.
  [[nodiscard]] bool has_caller(std::chrono::milliseconds patience) const noexcept;

private:
  friend Outcome<ListeningSocket> listen_at(const std::string& option, const std::string& path,
                                            int type);
  ListeningSocket(std::string path, int fd) noexcept : path_{std::move(path)}, fd_{fd} {}
  std::string path_;
  int fd_;
};

/// @return the socket | EADDRINUSE (somebody answers there) | why it cannot be made.
Outcome<ListeningSocket> listen_at(const std::string& option, const std::string& path, int type);
}  // namespace pmd
