// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hh"

namespace core {
/// A stream server on a Unix socket for newline-delimited requests. Knows nothing of JSON: a line
/// in, a line out. One thread, never blocks; the owner polls its descriptors.
class ControlServer {
public:
  /// Names where the answer to a request goes, so that it can come later. Never used again for
  /// another client.
  using Token = std::uint64_t;

  struct Options {
    std::string path;  ///< of the socket; its folder is made if it is missing
    unsigned mode = 0660;
    std::size_t max_request = std::size_t{1} << 20;  ///< bytes of one line
    std::size_t max_pending = std::size_t{4} << 20;  ///< unread answer bytes of one client
    std::size_t max_clients = 64;
  };
  /// Called with each whole line (without the newline). Every request is answered exactly once by
  /// answer(), during the call or later. The line is wiped after the call. `oversized`: the line
  /// was too long and is not given; answer with an error. Must not throw.
  using OnRequest = std::function<void(Token, std::string& line, bool oversized)>;

  /// @return the server | Exists (another process listens there) | Invalid (path too long, folder
  /// not writable).
  static Expected<std::unique_ptr<ControlServer>> listen(Options options, OnRequest on_request);
  ~ControlServer();  ///< closes all and removes the socket

  /// A line to the client that sent the request; nothing if that client has gone. An empty line
  /// sends nothing and says that the request is done. A client that leaves more than max_pending
  /// bytes unread is disconnected.
  void answer(Token token, std::string line);

  // Lines that answer no request: what a client has subscribed to.

  /// From now on the client is kept until it closes its connection, even where it has said that it
  /// sends no more.
  void subscribe(Token token);
  /// Bytes to a client, as they are, behind all that it was sent before.
  /// @return false: it has gone, or is disconnected because it leaves more than max_pending bytes
  /// unread.
  bool send(Token token, std::string_view bytes);
  /// Bytes that a client has not taken yet: a source that can do without some holds back.
  [[nodiscard]] std::size_t pending(Token token) const noexcept;
  /// Closes the connection when the client has taken what it was sent before; reads no more of it.
  void close(Token token);
  /// Called when a client has gone; must not call the server, nor throw.
  void on_close(std::function<void(Token)> gone);

  /// An epoll descriptor: readable when poll() has work.
  [[nodiscard]] int descriptor() const noexcept;
  /// Accepts, reads, writes as far as possible without blocking.
  void poll();
  /// Clients connected now.
  [[nodiscard]] std::size_t clients() const noexcept;

private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};
}  // namespace core
