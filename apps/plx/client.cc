// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/client.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace plx {
namespace {
std::string reason(int error) {
  return std::generic_category().message(error);
}

bool is_hex(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
}  // namespace

Client::Client(const std::string& socket_path) : path_{socket_path} {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path)
    throw Refused{fmt::format("socket path \"{}\" is too long or empty", path_)};
  std::memcpy(address.sun_path, path_.data(), path_.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (fd_ >= 0 && ::connect(fd_, generic, sizeof address) == 0) return;
  const int error = errno;
  if (fd_ >= 0) ::close(fd_);
  throw Refused{
      fmt::format("cannot connect to {}: {} (is polluxd running?)", path_, reason(error))};
}

Client::~Client() {
  ::close(fd_);
}

Json Client::call(const Call& call, std::chrono::milliseconds timeout) {
  const Json request{
      {"jsonrpc", "2.0"}, {"id", next_id_++}, {"method", call.method}, {"params", call.params}};
  send(request.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n');
  return result(receive(timeout));
}

/// A request whose parameters are not closed yet. @param room  what is still to come: the text is
/// never moved, so that no copy of a key is left behind.
std::string Client::begin_request(const Call& call, std::size_t room) {
  const std::string params = call.params.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string request;
  request.reserve(params.size() + room + 256);
  request +=
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}","params":)", next_id_++, call.method);
  request.append(params, 0, params.size() - 1);  // without its closing brace
  if (!call.params.empty()) request += ',';
  return request;
}

Json Client::call_wiped(std::string& request, std::chrono::milliseconds timeout) {
  const auto wipe = [&] { explicit_bzero(request.data(), request.size()); };
  try {
    send(request);
  } catch (...) {
    wipe();
    throw;
  }
  wipe();
  return result(receive(timeout));
}

Json Client::call_with_key(const Call& call, const KeyText& key) {
  std::string request = begin_request(call, key.digits().size());
  request += R"("key":")";
  request += key.digits();
  request += "\"}}\n";
  return call_wiped(request, kTimeout);
}

Json Client::call_with_keys(const Call& call, const NamedKeys& keys,
                            std::chrono::milliseconds timeout) {
  constexpr std::size_t kAround = 32;  // bytes of each entry beside name and key
  std::vector<std::string> names;
  std::size_t room = 0;
  for (const auto& [name, key] : keys) {
    names.push_back(Json(name).dump(-1, ' ', false, Json::error_handler_t::replace));
    room += names.back().size() + key->digits().size() + kAround;
  }
  std::string request = begin_request(call, room);
  request += R"("keys":[)";
  for (std::size_t i = 0; i < keys.size(); ++i) {
    request += i == 0 ? R"({"file":)" : R"(,{"file":)";
    request += names[i];
    request += R"(,"key":")";
    request += keys[i].second->digits();
    request += "\"}";
  }
  request += "]}}\n";
  return call_wiped(request, timeout);
}

void Client::send(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Refused{fmt::format("{}: the daemon closed the connection", path_)};
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string Client::receive(std::chrono::milliseconds timeout) {
  errno = 0;
  if (auto line = next_line(timeout)) return *std::move(line);
  if (errno == EINTR) throw Refused{"interrupted", "Interrupted"};
  throw Refused{fmt::format("{}: no answer from the daemon", path_)};
}

std::optional<std::string> Client::next_line(std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::array<char, 65536> chunk;
  for (;;) {
    const std::size_t newline = received_.find('\n', searched_);
    if (newline != std::string::npos) {
      std::string line = received_.substr(0, newline);
      received_.erase(0, newline + 1);
      searched_ = 0;
      return line;
    }
    searched_ = received_.size();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd waiting{fd_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (ready <= 0) return std::nullopt;  // errno says which
    const ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Refused{fmt::format("{}: the daemon closed the connection", path_)};
    received_.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

std::optional<std::string> Client::next_bytes(std::chrono::milliseconds timeout) {
  searched_ = 0;
  if (!received_.empty()) return std::exchange(received_, {});
  pollfd waiting{fd_, POLLIN, 0};
  if (::poll(&waiting, 1, static_cast<int>(timeout.count())) <= 0) return "";
  std::string bytes(65536, '\0');
  const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), 0);
  if (n < 0 && errno == EINTR) return "";
  if (n <= 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(n));
  return bytes;
}

void Client::enough() {
  constexpr std::string_view kLine = "{\"jsonrpc\":\"2.0\",\"method\":\"stop\"}\n";
  // Whether it is heard or the connection is closed already comes to the same.
  static_cast<void>(::send(fd_, kLine.data(), kLine.size(), MSG_NOSIGNAL));
}

Json Client::result(const std::string& line) const {
  Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) throw Refused{fmt::format("{}: the answer is not JSON-RPC", path_)};
  if (const auto error = answer.find("error"); error != answer.end() && error->is_object()) {
    std::string code;
    if (const auto data = error->find("data"); data != error->end() && data->is_object())
      code = data->value("code", "");
    throw Refused{error->value("message", "refused without a reason"), code};
  }
  const auto value = answer.find("result");
  if (value == answer.end()) throw Refused{fmt::format("{}: an answer without a result", path_)};
  return std::move(*value);
}

KeyText::KeyText(const std::string& path) {
  const bool from_stdin = path == "-";
  const std::string name = from_stdin ? "standard input" : path;
  ::mlock(text_, kMax);  // where the limit forbids it, the key is in memory for a moment only
  const int fd = from_stdin ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Refused{fmt::format("cannot read key file {}: {}", path, reason(errno))};
  struct stat found {};
  const bool open_to_all =
      !from_stdin && ::fstat(fd, &found) == 0 && (found.st_mode & S_IRWXO) != 0;
  std::size_t size = 0;
  ssize_t n = 0;
  while (!open_to_all && size < kMax && (n = ::read(fd, text_ + size, kMax - size)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (!from_stdin) ::close(fd);
  const auto refuse = [&](const char* what) {
    explicit_bzero(text_, kMax);
    throw Refused{fmt::format("key from {}: {}", name, what)};
  };
  if (open_to_all) refuse("other users may read it; expected mode 0600 or 0640");
  if (n < 0) refuse("cannot be read");
  if (size == kMax) refuse("longer than any key");
  while (begin_ < size && is_space(text_[begin_])) ++begin_;
  while (size > begin_ && is_space(text_[size - 1])) --size;
  size_ = size - begin_;
  std::string_view checked = digits();
  if (checked.starts_with("0x")) checked.remove_prefix(2);
  if (checked.empty() || !std::ranges::all_of(checked, is_hex))
    refuse("expected hexadecimal digits and nothing else");
}

KeyText::~KeyText() {
  explicit_bzero(text_, kMax);
  ::munlock(text_, kMax);
}

std::string_view KeyText::digits() const noexcept {
  return {text_ + begin_, size_};
}
}  // namespace plx
