// SPDX-License-Identifier: BSD-3-Clause
#include "core/control_server.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

namespace core {
namespace {
/// A file descriptor, closed when it goes.
class Fd {
public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_{fd} {}
  Fd(Fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_ = -1;
};

/// Memory that is wiped before it is given back: a request may carry a key.
template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() noexcept = default;
  template <class U>
  explicit WipingAllocator(const WipingAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }
  void deallocate(T* p, std::size_t n) noexcept {
    explicit_bzero(p, n * sizeof(T));
    std::allocator<T>{}.deallocate(p, n);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) noexcept { return true; }
};
using WipedBytes = std::vector<char, WipingAllocator<char>>;

Error failure(std::string_view what, const std::string& path, int error) {
  return {Errc::Invalid,
          fmt::format("{} {}: {}", what, path, std::generic_category().message(error))};
}

using Address = sockaddr_un;
Expected<Address> make_address(const std::string& path) {
  Address address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return Error{Errc::Invalid, fmt::format("socket path \"{}\": {} bytes, expected 1 to {}", path,
                                            path.size(), sizeof address.sun_path - 1)};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}
const sockaddr* generic(const Address& address) noexcept {
  // The socket API's own idiom; no packet memory.
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}
Fd make_socket() {
  return Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

/// Removes the socket file of a daemon that has died.
/// @return Exists: somebody listens there | Invalid: not a socket.
Expected<> remove_stale(const std::string& path, const Address& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0)
    return errno == ENOENT ? Expected<>{Done{}} : failure("cannot look at", path, errno);
  if (!S_ISSOCK(found.st_mode))
    return Error{Errc::Invalid, fmt::format("{} is there and is not a socket", path)};
  const Fd probe = make_socket();
  if (!probe) return failure("cannot make a socket for", path, errno);
  if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN)
    return Error{Errc::Exists, fmt::format("another process listens on {}", path)};
  if (errno != ECONNREFUSED) return failure("cannot probe", path, errno);
  if (::unlink(path.c_str()) != 0) return failure("cannot replace", path, errno);
  return Done{};
}

/// Two daemons that start at once must not remove each other's socket: the folder is locked while
/// one looks and binds. @return the lock.
Expected<Fd> lock_folder(const std::string& folder) {
  Fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return failure("cannot open", folder, errno);
  constexpr int kTries = 200;
  constexpr useconds_t kPause_us = 10'000;
  for (int tries = 0; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (tries == kTries) return failure("cannot lock", folder, errno);
    ::usleep(kPause_us);
  }
  return fd;
}
}  // namespace

struct ControlServer::Impl {
  static constexpr std::uint64_t kListener = 0;  ///< epoll's name of it; clients count from 1
  static constexpr std::size_t kChunk = std::size_t{64} << 10;  ///< read at once, per client

  struct Client {
    Fd fd;
    WipedBytes in;              ///< the part of a line that has come
    std::size_t searched = 0;   ///< bytes of `in` that hold no newline
    bool skipping = false;      ///< in an oversized line
    bool reading = true;        ///< false: it has shut its side down
    bool doomed = false;        ///< to be closed as soon as nobody stands in its code
    std::size_t in_flight = 0;  ///< requests not answered yet
    std::string out;
    std::size_t sent = 0;       ///< of `out`
    std::uint32_t watched = 0;  ///< epoll's mask
  };

  Impl(Options o, OnRequest f) : options{std::move(o)}, on_request{std::move(f)} {}
  ~Impl();
  Expected<> open();
  Expected<> bind_socket(const Address& address);
  void accept_all();
  void watch_listener(bool on);
  void read_from(Token token, Client& c);
  void take_bytes(Token token, Client& c, std::string_view bytes);
  void take_line(Token token, Client& c);
  void refuse_long_line(Token token, Client& c);
  void request(Token token, Client& c, std::string& line, bool oversized);
  void push(Client& c, std::string_view bytes);
  void flush(Client& c);
  void watch(Token token, Client& c);
  void reap(Token token);

  Options options;
  OnRequest on_request;
  std::function<void(Token)> gone;
  Fd epoll, listener;
  bool listening = false;
  struct stat identity {};  ///< of the socket file, so that only our own is removed
  std::map<Token, Client> clients;
  Token next = 1;
  Token busy = 0;  ///< the client in whose code poll() stands
  WipedBytes chunk = WipedBytes(kChunk);
};

ControlServer::Impl::~Impl() {
  struct stat now {};
  if (listener && ::lstat(options.path.c_str(), &now) == 0 && now.st_ino == identity.st_ino &&
      now.st_dev == identity.st_dev)
    ::unlink(options.path.c_str());
}

Expected<> ControlServer::Impl::open() {
  const auto address = make_address(options.path);
  if (!address) return address.error();
  const auto parent = std::filesystem::path{options.path}.parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return failure("cannot make folder", folder, error.value());
  const auto lock = lock_folder(folder);
  if (!lock) return lock.error();
  if (const auto done = remove_stale(options.path, *address); !done) return done.error();
  if (const auto done = bind_socket(*address); !done) return done.error();
  epoll = Fd{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return failure("cannot poll", options.path, errno);
  watch_listener(true);
  return Done{};
}

Expected<> ControlServer::Impl::bind_socket(const Address& address) {
  Fd fd = make_socket();
  if (!fd) return failure("cannot make a socket for", options.path, errno);
  if (::bind(fd.get(), generic(address), sizeof address) != 0)
    return failure("cannot bind", options.path, errno);
  // From here on the file is ours, and the destructor removes it.
  listener = std::move(fd);
  if (::lstat(options.path.c_str(), &identity) != 0)
    return failure("cannot look at", options.path, errno);
  // The mode is set, whatever the umask is, before anybody can connect: that needs listen().
  if (::chmod(options.path.c_str(), options.mode) != 0)
    return failure("cannot set the mode of", options.path, errno);
  if (::listen(listener.get(), SOMAXCONN) != 0)
    return failure("cannot listen on", options.path, errno);
  return Done{};
}

void ControlServer::Impl::watch_listener(bool on) {
  if (on == listening) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kListener;
  ::epoll_ctl(epoll.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener.get(), &event);
  listening = on;
}

void ControlServer::Impl::accept_all() {
  constexpr int kAtOnce = 64;  // others wait for the next poll(), so that it stays short
  for (int i = 0; i < kAtOnce; ++i) {
    Fd fd{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!fd) {
      // Out of descriptors: the listener stays readable, so it is not watched until one is free.
      if ((errno == EMFILE || errno == ENFILE) && !clients.empty()) watch_listener(false);
      return;
    }
    if (clients.size() >= options.max_clients) continue;  // closed: the client sees it at once
    const Token token = next++;
    Client& c = clients[token];
    c.fd = std::move(fd);
    epoll_event event{};
    event.events = c.watched = EPOLLIN;
    event.data.u64 = token;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, c.fd.get(), &event) != 0) clients.erase(token);
  }
}

void ControlServer::Impl::read_from(Token token, Client& c) {
  const ssize_t n = ::recv(c.fd.get(), chunk.data(), chunk.size(), 0);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) c.doomed = true;
    return;
  }
  if (n == 0) {
    c.reading = false;  // answers that are still due are sent; an unfinished line is no request
    return;
  }
  const auto size = static_cast<std::size_t>(n);
  take_bytes(token, c, {chunk.data(), size});
  explicit_bzero(chunk.data(), size);
}

void ControlServer::Impl::take_bytes(Token token, Client& c, std::string_view bytes) {
  while (!bytes.empty() && !c.doomed) {
    const std::size_t newline = bytes.find('\n');
    const bool whole = newline != std::string_view::npos;
    const std::string_view part = bytes.substr(0, whole ? newline : bytes.size());
    bytes.remove_prefix(part.size() + (whole ? 1 : 0));
    if (!c.skipping && c.in.size() + part.size() > options.max_request) refuse_long_line(token, c);
    if (!c.skipping) c.in.insert(c.in.end(), part.begin(), part.end());
    if (!whole) continue;
    if (!std::exchange(c.skipping, false)) take_line(token, c);
  }
}

void ControlServer::Impl::take_line(Token token, Client& c) {
  std::string line(c.in.begin(), c.in.end());
  c.in = WipedBytes{};
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) return;  // a blank line asks nothing
  request(token, c, line, false);
  explicit_bzero(line.data(), line.size());
}

void ControlServer::Impl::refuse_long_line(Token token, Client& c) {
  c.in = WipedBytes{};
  c.skipping = true;
  std::string none;
  request(token, c, none, true);
}

void ControlServer::Impl::request(Token token, Client& c, std::string& line, bool oversized) {
  ++c.in_flight;
  on_request(token, line, oversized);
}

void ControlServer::Impl::flush(Client& c) {
  while (c.sent < c.out.size()) {
    const ssize_t n =
        ::send(c.fd.get(), c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno != EAGAIN) c.doomed = true;
      return;
    }
    c.sent += static_cast<std::size_t>(n);
  }
  c.out = std::string{};
  c.sent = 0;
}

void ControlServer::Impl::watch(Token token, Client& c) {
  const std::uint32_t wanted =
      (c.reading ? std::uint32_t{EPOLLIN} : 0) | (c.out.empty() ? 0 : std::uint32_t{EPOLLOUT});
  if (wanted == c.watched) return;
  epoll_event event{};
  event.events = c.watched = wanted;
  event.data.u64 = token;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, c.fd.get(), &event);
}

void ControlServer::Impl::reap(Token token) {
  const auto at = clients.find(token);
  if (at == clients.end() || busy == token) return;
  Client& c = at->second;
  const bool finished = !c.reading && c.in_flight == 0 && c.out.empty();
  if (!c.doomed && !finished) return watch(token, c);
  clients.erase(at);
  watch_listener(true);
  if (gone) gone(token);
}

void ControlServer::Impl::push(Client& c, std::string_view bytes) {
  if (c.doomed) return;
  if (c.out.size() - c.sent > options.max_pending) {
    c.doomed = true;  // it asks and does not read
    return;
  }
  if (c.sent > 0) c.out.erase(0, std::exchange(c.sent, 0));
  c.out += bytes;
  flush(c);
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
ControlServer::~ControlServer() = default;

Expected<std::unique_ptr<ControlServer>> ControlServer::listen(Options options,
                                                               OnRequest on_request) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(on_request));
  if (const auto done = impl->open(); !done) return done.error();
  return std::unique_ptr<ControlServer>{new ControlServer{std::move(impl)}};
}

void ControlServer::answer(Token token, std::string line) {
  const auto at = impl_->clients.find(token);
  if (at == impl_->clients.end()) return;
  Impl::Client& c = at->second;
  if (c.in_flight > 0) --c.in_flight;
  if (!line.empty()) {
    line += '\n';
    impl_->push(c, line);
  }
  impl_->reap(token);
}

void ControlServer::subscribe(Token token) {
  // As if an answer were due for ever.
  if (const auto at = impl_->clients.find(token); at != impl_->clients.end())
    ++at->second.in_flight;
}

bool ControlServer::send(Token token, std::string_view bytes) {
  const auto at = impl_->clients.find(token);
  if (at == impl_->clients.end()) return false;
  impl_->push(at->second, bytes);
  const bool stays = !at->second.doomed;
  impl_->reap(token);
  return stays;
}

std::size_t ControlServer::pending(Token token) const noexcept {
  const auto at = impl_->clients.find(token);
  return at == impl_->clients.end() ? 0 : at->second.out.size() - at->second.sent;
}

void ControlServer::close(Token token) {
  const auto at = impl_->clients.find(token);
  if (at == impl_->clients.end()) return;
  at->second.reading = false;
  at->second.in_flight = 0;
  impl_->reap(token);
}

void ControlServer::on_close(std::function<void(Token)> gone) {
  impl_->gone = std::move(gone);
}

int ControlServer::descriptor() const noexcept {
  return impl_->epoll.get();
}
std::size_t ControlServer::clients() const noexcept {
  return impl_->clients.size();
}

void ControlServer::poll() {
  std::array<epoll_event, 64> events;
  const int n = ::epoll_wait(impl_->epoll.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const Token token = event.data.u64;
    if (token == Impl::kListener) {
      impl_->accept_all();
      continue;
    }
    const auto at = impl_->clients.find(token);
    if (at == impl_->clients.end()) continue;
    Impl::Client& c = at->second;
    impl_->busy = token;
    if ((event.events & EPOLLOUT) != 0) impl_->flush(c);
    if (!c.doomed && c.reading && (event.events & EPOLLIN) != 0) impl_->read_from(token, c);
    // Both directions are shut: nobody is left to read an answer.
    if ((event.events & (EPOLLHUP | EPOLLERR)) != 0 && (event.events & EPOLLIN) == 0)
      c.doomed = true;
    impl_->busy = 0;
    impl_->reap(token);
  }
}
}  // namespace core
