// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/capture.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
#include "apps/plx/interrupt.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
constexpr std::chrono::milliseconds kPatience{500};  // a signal may come just before the wait

template <class T>
T load(std::string_view bytes, std::size_t at) {
  T value{};
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// isb_ifdrop of an interface statistics block.
std::uint64_t lost_of(std::string_view block) {
  constexpr std::size_t kOptionsAt = 20;
  constexpr std::uint16_t kDropped = 5;
  for (std::size_t at = kOptionsAt; at + 4 <= block.size();) {
    const auto code = load<std::uint16_t>(block, at);
    const auto length = load<std::uint16_t>(block, at + 2);
    if (code == 0) break;
    if (code == kDropped) return load<std::uint64_t>(block, at + 4);
    at += 4 + (std::size_t{length} + 3) / 4 * 4;
  }
  return 0;
}

/// Where the file goes.
class Output {
public:
  explicit Output(const std::string& path) : path_{path == "-" ? "standard output" : path} {
    // Others must not read what passed: it may be clear text.
    fd_ = path == "-" ? STDOUT_FILENO
                      : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd_ < 0) fail();
  }
  ~Output() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail();
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

private:
  [[noreturn]] void fail() const {
    throw Refused{
        fmt::format("cannot write {}: {}", path_, std::generic_category().message(errno))};
  }
  std::string path_;
  int fd_ = -1;
};

/// Asks the daemon to end when the user does.
class Ending {
public:
  explicit Ending(Client& client) : client_{client} {}
  void look() {
    if (!interrupted() || asked_) return;
    client_.enough();
    asked_ = true;
  }

private:
  Client& client_;
  bool asked_ = false;
};

int to_file(Client& client, const Call& call, const std::string& path) {
  const Output out{path};
  static_cast<void>(client.call(call));
  BlockCounter counter;
  Ending ending{client};
  for (;;) {
    ending.look();
    const auto bytes = client.next_bytes(kPatience);
    if (!bytes) break;
    counter.take(*bytes);
    out.write(*bytes);
  }
  fmt::print(stderr, "{} packets captured, {} lost\n", counter.packets(), counter.lost());
  return 0;
}

int to_terminal(Client& client, const Call& call, bool json) {
  static_cast<void>(client.call(call));
  Ending ending{client};
  for (;;) {
    ending.look();
    const auto line = client.next_line(kPatience);
    if (!line) continue;
    const Json told = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (!told.is_object()) continue;
    const Json params = told.value("params", Json::object());
    if (told.value("method", "") == "capture.end") {
      fmt::print(stderr, "{} packets captured, {} lost\n", count_of(params, "packets"),
                 count_of(params, "lost"));
      return 0;
    }
    fmt::print("{}\n", json ? params.dump(-1, ' ', false, Json::error_handler_t::replace)
                            : capture_line(params));
    std::fflush(stdout);
  }
}
}  // namespace

void BlockCounter::take(std::string_view bytes) {
  constexpr std::uint32_t kStatistics = 5, kPacket = 6;
  constexpr std::size_t kSmallest = 12;
  buffer_ += bytes;
  std::size_t at = 0;
  while (buffer_.size() - at >= kSmallest) {
    const auto length = load<std::uint32_t>(buffer_, at + 4);
    if (length < kSmallest || buffer_.size() - at < length) break;
    const auto type = load<std::uint32_t>(buffer_, at);
    if (type == kPacket) ++packets_;
    if (type == kStatistics) lost_ += lost_of(std::string_view{buffer_}.substr(at, length));
    at += length;
  }
  buffer_.erase(0, at);
}

std::string capture_line(const Json& packet) {
  // As tcpdump: the time of day, not the date.
  const std::string time = text_of(packet, "time");
  std::string line = fmt::format("{} {} {} {}", time.size() > 12 ? time.substr(11) : time,
                                 text_of(packet, "interface"), text_of(packet, "direction"),
                                 text_of(packet, "packet"));
  if (const auto drop = packet.find("drop"); drop != packet.end())
    line += fmt::format(", dropped: {}: {}", text_of(*drop, "reason"), text_of(*drop, "text"));
  return line;
}

Call capture_call(const CaptureOptions& o) {
  if (o.interfaces.empty() && !o.drops && !o.ipsec)
    throw UsageError{"capture: expected -i IF, --drops or --ipsec"};
  Json params{{"format", o.file.empty() ? "json" : "pcapng"},
              {"drops", o.drops},
              {"ipsec", o.ipsec},
              {"interfaces", o.interfaces},
              {"filter", fmt::format("{}", fmt::join(o.filter, " "))}};
  if (o.count) params["count"] = *o.count;
  if (o.snaplen) params["snaplen"] = *o.snaplen;
  return {"capture.start", std::move(params)};
}

void declare_capture(CLI::App& app, Session& session) {
  const auto o = std::make_shared<CaptureOptions>();
  CLI::App* command = add_command(app, session, "capture",
                                  "capture packets, into a file or as lines", [&session, o] {
                                    const Call call = capture_call(*o);
                                    catch_interrupts();
                                    Client client{session.path()};
                                    return o->file.empty() ? to_terminal(client, call, session.json)
                                                           : to_file(client, call, o->file);
                                  });
  command->add_option("-i", o->interfaces, "what passes an interface, both ways; repeatable")
      ->type_name("IF")
      ->allow_extra_args(false);
  command->add_flag("--drops", o->drops, "what is dropped, with the reason");
  command->add_flag("--ipsec", o->ipsec, "what passes tunnels in the clear, and ESP elsewhere");
  command->add_option("-w", o->file, "a pcapng file; -: standard output (lines on the terminal)")
      ->type_name("FILE");
  command->add_option("-c", o->count, "packets (until ^C)")->type_name("N");
  command->add_option("-s", o->snaplen, "bytes of each packet, at most 65535 (all)")
      ->type_name("BYTES");
  command->add_option("filter", o->filter, "which packets, in the language of pcap-filter(7) (all)")
      ->type_name("");
}
}  // namespace plx
