// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace test {
/// The other end of a control socket, as hostile as a test wants it.
class UnixClient {
public:
  explicit UnixClient(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    if (::connect(fd_, generic, sizeof address) != 0) close();
  }
  UnixClient(UnixClient&& other) noexcept : fd_{other.fd_}, received_{std::move(other.received_)} {
    other.fd_ = -1;
  }
  UnixClient(const UnixClient&) = delete;
  UnixClient& operator=(const UnixClient&) = delete;
  ~UnixClient() { close(); }

  [[nodiscard]] bool connected() const noexcept { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// No more requests, but answers are still wanted.
  void shut_down_sending() { ::shutdown(fd_, SHUT_WR); }

  /// @return bytes taken: fewer when the socket is full or the server is gone.
  std::size_t send(std::string_view bytes) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  /// Reads what is there. @return false: the server has closed the connection.
  bool read() {
    std::array<char, 65536> chunk;
    for (;;) {
      const ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
      if (n > 0) received_.append(chunk.data(), static_cast<std::size_t>(n));
      if (n == 0) return false;
      if (n < 0) return errno == EAGAIN;
    }
  }
  /// The next whole line that has come.
  std::optional<std::string> line() {
    const std::size_t newline = received_.find('\n');
    if (newline == std::string::npos) return std::nullopt;
    std::string text = received_.substr(0, newline);
    received_.erase(0, newline + 1);
    return text;
  }
  [[nodiscard]] const std::string& received() const noexcept { return received_; }

private:
  int fd_ = -1;
  std::string received_;
};
}  // namespace test
