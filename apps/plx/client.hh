// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/plx/plan.hh"

namespace plx {
class KeyText;
/// Key files by the names that a configuration file gives them.
using NamedKeys = std::vector<std::pair<std::string, std::unique_ptr<KeyText>>>;

/// A connection to a daemon's control socket: one call at a time.
class Client {
public:
  /// @throws Refused: nobody listens there.
  explicit Client(const std::string& socket_path);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// @return the result. @throws Refused: what the daemon said; no answer in time; no connection.
  Json call(const Call& call, std::chrono::milliseconds timeout = kTimeout);
  /// The same with the parameter "key", which leaves no trace in memory.
  Json call_with_key(const Call& call, const KeyText& key);
  /// The same with the parameter "keys": an array of {"file", "key"}.
  Json call_with_keys(const Call& call, const NamedKeys& keys, std::chrono::milliseconds timeout);
  /// The next line of what was subscribed to. @return none: nothing came in time, or a signal did.
  /// @throws Refused: the daemon has closed the connection.
  std::optional<std::string> next_line(std::chrono::milliseconds timeout);

  /// Bytes of a connection that carries no lines any more, behind the last line that was read.
  /// @return "": nothing came in time, or a signal did; none: the daemon has closed the connection.
  std::optional<std::string> next_bytes(std::chrono::milliseconds timeout);
  /// Says that no more is wanted of what the connection carries. The rest still comes.
  void enough();

private:
  static constexpr std::chrono::milliseconds kTimeout{30'000};

  void send(std::string_view line);
  std::string begin_request(const Call& call, std::size_t room);
  Json call_wiped(std::string& request, std::chrono::milliseconds timeout);
  std::string receive(std::chrono::milliseconds timeout);
  Json result(const std::string& line) const;

  std::string path_;
  int fd_ = -1;
  std::string received_;      ///< beyond the last answer
  std::size_t searched_ = 0;  ///< bytes of it that hold no newline
  std::uint64_t next_id_ = 1;
};

/// Hexadecimal key text from a file or standard input, in locked memory, wiped when it goes.
class KeyText {
public:
  /// @param path  "-": standard input. @throws Refused: unreadable, readable by others, not
  /// hexadecimal, too long.
  explicit KeyText(const std::string& path);
  ~KeyText();
  KeyText(const KeyText&) = delete;
  KeyText& operator=(const KeyText&) = delete;
  [[nodiscard]] std::string_view digits() const noexcept;

private:
  static constexpr std::size_t kMax = 512;  ///< bytes of file: digits and white space
  char text_[kMax] = {};
  std::size_t begin_ = 0, size_ = 0;
};
}  // namespace plx
