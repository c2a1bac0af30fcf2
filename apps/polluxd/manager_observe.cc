// SPDX-License-Identifier: BSD-3-Clause
// Traces and captures: what the workers are told to watch, and where their records go.
#include "apps/polluxd/manager_observe.hh"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <limits>

#include "apps/polluxd/manager_impl.hh"
#include "core/clock.hh"

namespace polluxd {
namespace {
using core::Done;
using core::Errc;
using core::Error;
using core::PacketFilter;
using Want = core::Capture::Want;

/// Longer than a packet is held for a neighbour: what is not told by then has been lost.
constexpr std::uint64_t kPatience_us = 12'000'000;

/// For packets that begin with an IP header. A filter that speaks of link layers takes none.
PacketFilter ip_filter(const std::string& text) {
  auto filter = PacketFilter::compile(text, PacketFilter::Link::Ip);
  return filter ? *std::move(filter) : PacketFilter::nothing();
}

core::Expected<> check(const CaptureSpec& spec) {
  if (spec.interfaces.empty() && !spec.drops && !spec.ipsec)
    return Error{Errc::Invalid, "nothing to capture: expected an interface, drops or ipsec"};
  if (spec.snaplen < 1 || spec.snaplen > CaptureSpec::kMaxSnaplen)
    return Error{Errc::Invalid, fmt::format("snaplen {}, expected 1 to {} bytes", spec.snaplen,
                                            CaptureSpec::kMaxSnaplen)};
  return Done{};
}
}  // namespace

struct Observers::TraceSession {
  struct Way {
    std::vector<TraceStep> steps;
    bool ended = false;
    std::uint64_t last_us = 0;
  };
  ObserverId id = 0;
  std::shared_ptr<core::Trace> trace;
  TraceSink sink;
  std::map<std::uint32_t, Way> ways;  ///< by TraceRecord::packet
  std::vector<std::uint32_t> ended;   ///< told after the next drain: a record from another worker
                                      ///< may still be on its way
  std::uint32_t told = 0, count = 0;
  bool stopping = false;

  void tell(std::uint32_t packet) {
    const auto at = ways.find(packet);
    if (at == ways.end()) return;
    auto steps = std::move(at->second.steps);
    ways.erase(at);
    if (told == count) return;  // each worker counts for itself: there may be more
    std::stable_sort(steps.begin(), steps.end(), [](const TraceStep& a, const TraceStep& b) {
      return a.record.at < b.record.at;
    });
    sink.packet(steps);
    if (++told == count) stopping = true;
  }
};

struct Observers::CaptureSession {
  ObserverId id = 0;
  CaptureSpec spec;
  CaptureSink sink;
  core::Capture capture;  ///< as it is published
  std::vector<CaptureTotals> totals;
  std::uint64_t given = 0;
  bool begun = false, stopping = false;

  CaptureTotals& totals_of(std::string_view interface, core::Layer layer) {
    for (CaptureTotals& t : totals)
      if (t.interface == interface && t.layer == layer) return t;
    return totals.emplace_back(CaptureTotals{.interface = std::string{interface}, .layer = layer});
  }
  /// @return whether other interfaces are captured now.
  bool select(const core::InterfaceTable& interfaces) {
    std::vector<Want> wants(interfaces.size(), Want::Nothing);
    for (const core::Interface& i : interfaces) {
      if (i.kind == core::Interface::Kind::None) continue;
      const bool tunnel = i.kind == core::Interface::Kind::Tunnel;
      const auto& named = spec.interfaces;
      if (std::find(named.begin(), named.end(), i.name) != named.end())
        wants[i.id] = Want::Everything;
      else if (spec.ipsec)
        wants[i.id] = tunnel ? Want::Everything : Want::Esp;
    }
    if (wants == capture.wants) return false;
    capture.wants = std::move(wants);
    return true;
  }
};

/// Makes room for a mark in every mbuf; once in a process.
core::Expected<> Observers::reserve_mark() {
  if (mark_offset_ >= 0) return Done{};
  const rte_mbuf_dynfield field{.name = "pollux_mark",
                                .size = sizeof(core::PacketMark),
                                .align = alignof(core::PacketMark),
                                .flags = 0};
  const rte_mbuf_dynflag flag{.name = "pollux_marked", .flags = 0};
  const auto bit = static_cast<unsigned>(__builtin_ctzll(core::kMarkedFlag));
  if (rte_mbuf_dynflag_register_bitnum(&flag, bit) != static_cast<int>(bit))
    return Error{Errc::Unsupported,
                 fmt::format("no flag for marks in packet buffers: {}", rte_strerror(rte_errno))};
  const int offset = rte_mbuf_dynfield_register(&field);
  if (offset < 0)
    return Error{Errc::Unsupported,
                 fmt::format("no room for marks in packet buffers: {}", rte_strerror(rte_errno))};
  mark_offset_ = offset;
  return Done{};
}

core::Expected<ObserverId> Observers::add_trace(const TraceSpec& spec, TraceSink sink) {
  if (!traces_.empty()) return Error{Errc::Full, "a trace is running already: one at a time"};
  if (spec.count < 1 || spec.count > TraceSpec::kMaxCount)
    return Error{Errc::Invalid, fmt::format("count {}, expected 1 to {} packets", spec.count,
                                            TraceSpec::kMaxCount)};
  auto ethernet = PacketFilter::compile(spec.filter, PacketFilter::Link::Ethernet);
  if (!ethernet) return ethernet.error();
  if (auto done = reserve_mark(); !done) return done.error();
  auto session = std::make_shared<TraceSession>();
  session->id = ++last_id_;
  session->sink = std::move(sink);
  session->count = spec.count;
  session->trace = std::make_shared<core::Trace>();
  session->trace->id = ++last_trace_;
  session->trace->ethernet = *std::move(ethernet);
  session->trace->ip = ip_filter(spec.filter);
  session->trace->count = spec.count;
  for (std::size_t w = 0; w < workers_; ++w)
    session->trace->lanes.push_back(std::make_unique<core::Trace::Lane>());
  traces_.push_back(std::move(session));
  changed_ = true;
  return last_id_;
}

core::Expected<ObserverId> Observers::add_capture(const CaptureSpec& spec, CaptureSink sink,
                                                  const core::InterfaceTable& interfaces) {
  if (auto done = check(spec); !done) return done.error();
  if (captures_.size() >= kMaxCaptures)
    return Error{Errc::Full, fmt::format("{} captures are running already: no more at a time",
                                         captures_.size())};
  bool tunnels_only = !spec.interfaces.empty() && !spec.ipsec && !spec.drops;
  for (const std::string& name : spec.interfaces) {
    const auto at = std::find_if(interfaces.begin(), interfaces.end(), [&](const auto& i) {
      return i.kind != core::Interface::Kind::None && i.name == name;
    });
    if (at == interfaces.end())
      return Error{Errc::NotFound, fmt::format("no interface \"{}\"", name)};
    tunnels_only = tunnels_only && at->kind == core::Interface::Kind::Tunnel;
  }
  auto session = std::make_shared<CaptureSession>();
  core::Capture& c = session->capture;
  auto ethernet = PacketFilter::compile(spec.filter, PacketFilter::Link::Ethernet);
  if (!ethernet) return ethernet.error();
  if (tunnels_only)
    if (auto ip = PacketFilter::compile(spec.filter, PacketFilter::Link::Ip); !ip)
      return ip.error();
  c.ethernet = *std::move(ethernet);
  c.ip = ip_filter(spec.filter);
  auto esp = PacketFilter::compile(
      c.ethernet.takes_all() ? "esp" : fmt::format("esp and ({})", spec.filter),
      PacketFilter::Link::Ethernet);
  c.esp = esp ? *std::move(esp) : PacketFilter::nothing();
  if (spec.drops)
    if (auto done = reserve_mark(); !done) return done.error();
  c.drops = spec.drops;
  c.snaplen = spec.snaplen;
  c.lanes = std::make_shared<core::Capture::Lanes>();
  for (std::size_t w = 0; w < workers_; ++w)
    c.lanes->push_back(std::make_unique<core::Capture::Lane>(known_.size()));
  session->id = ++last_id_;
  session->spec = spec;
  session->sink = std::move(sink);
  captures_.push_back(std::move(session));
  changed_ = true;
  return last_id_;
}

void Observers::stop(ObserverId id) noexcept {
  for (const auto& t : traces_)
    if (t->id == id) t->stopping = true;
  for (const auto& c : captures_)
    if (c->id == id) c->stopping = true;
}

std::shared_ptr<const core::Observation> Observers::observation(
    const core::InterfaceTable& interfaces) {
  for (const core::Interface& i : interfaces)
    if (i.kind != core::Interface::Kind::None && i.id < known_.size())
      known_[i.id] = {i.name, i.kind == core::Interface::Kind::Tunnel};
  for (const auto& c : captures_) changed_ = c->select(interfaces) || changed_;
  if (!changed_) return current_;
  changed_ = false;
  if (traces_.empty() && captures_.empty()) return current_ = nullptr;
  auto next = std::make_shared<core::Observation>();
  // Marks of a former time count no more, once there was a time without any.
  next->epoch = current_ == nullptr ? ++epoch_ : epoch_;
  next->mark_offset = mark_offset_;
  for (const auto& t : traces_) next->trace = t->trace;
  for (const auto& c : captures_) {
    next->captures.push_back(c->capture);
    next->mark_all = next->mark_all || c->capture.drops;
  }
  return current_ = std::move(next);
}

std::string_view Observers::name_of(core::InterfaceId id) const {
  return id < known_.size() ? std::string_view{known_[id].name} : std::string_view{};
}

bool Observers::drain(TraceSession& t, std::uint64_t now_us, bool last) {
  const auto ready = std::exchange(t.ended, {});
  bool moved = !ready.empty();
  for (std::size_t w = 0; w < t.trace->lanes.size(); ++w) {
    core::TraceRecord r;
    while (t.trace->lanes[w]->ring.pop(r)) {
      moved = true;
      auto& way = t.ways[r.packet];
      way.steps.push_back({.at_ns = clock_.ns(r.at),
                           .worker = static_cast<std::uint16_t>(w),
                           .interface = std::string{name_of(r.interface)},
                           .record = r});
      way.last_us = now_us;
      if (r.ends() && !way.ended) t.ended.push_back(r.packet);
      way.ended = way.ended || r.ends();
    }
  }
  for (const std::uint32_t packet : ready) t.tell(packet);
  std::vector<std::uint32_t> forgotten;
  for (const auto& [packet, way] : t.ways)
    if (last || (!way.ended && now_us > way.last_us + kPatience_us)) forgotten.push_back(packet);
  for (const std::uint32_t packet : forgotten) t.tell(packet);
  return moved;
}

void Observers::give(CaptureSession& c, const core::CaptureHeader& h,
                     std::span<const std::uint8_t> bytes) {
  CaptureTotals& totals = c.totals_of(name_of(h.interface), h.layer);
  ++totals.received;
  CapturedPacket packet{.at_ns = clock_.ns(h.at),
                        .interface = totals.interface,
                        .layer = h.layer,
                        .direction = h.direction,
                        .dropped = std::nullopt,
                        .length = h.length,
                        .bytes = bytes};
  if (h.reason != core::CaptureHeader::kNotDropped)
    packet.dropped = static_cast<core::DropReason>(h.reason);
  if (!c.sink.packet(packet)) {
    ++totals.lost;
    return;
  }
  if (++c.given == c.spec.count) c.stopping = true;
}

/// The oldest packet of all workers, if it is not younger than `until`.
bool Observers::take_next(CaptureSession& c, std::uint64_t until) {
  core::Capture::Lane* oldest = nullptr;
  core::CaptureHeader first{.at = until}, h;
  std::span<const std::uint8_t> bytes, first_bytes;
  for (const auto& lane : *c.capture.lanes)
    if (lane->ring.front(h, bytes) && h.at <= first.at) {
      first = h;
      first_bytes = bytes;
      oldest = lane.get();
    }
  if (oldest == nullptr) return false;
  give(c, first, first_bytes);
  oldest->ring.pop();
  return true;
}

bool Observers::drain(CaptureSession& c, std::size_t budget) {
  const std::uint64_t now = core::Clock::cycles();
  if (!std::exchange(c.begun, true)) c.sink.begin();
  std::size_t n = 0;
  while (n < budget && !c.stopping && take_next(c, now)) ++n;
  return n != 0;
}

/// @pre no worker writes any more.
void Observers::finish(CaptureSession& c) {
  if (!std::exchange(c.begun, true)) c.sink.begin();
  const auto full = [&] { return c.spec.count != 0 && c.given >= c.spec.count; };
  while (!full() && take_next(c, std::numeric_limits<std::uint64_t>::max())) {}
  for (const auto& lane : *c.capture.lanes)
    for (std::size_t id = 0; id < lane->lost.size(); ++id) {
      const std::uint64_t lost = lane->lost[id].read();
      if (lost == 0) continue;
      const bool tunnel = id < known_.size() && known_[id].tunnel;
      CaptureTotals& t = c.totals_of(name_of(static_cast<core::InterfaceId>(id)),
                                     tunnel ? core::Layer::Ip : core::Layer::Ethernet);
      t.received += lost;
      t.lost += lost;
    }
  c.sink.end(c.totals);
}

bool Observers::poll(std::uint64_t now_us, const std::function<void()>& publish) {
  constexpr std::size_t kAtOnce = 4096;  // so that the manager's other work goes on
  if (traces_.empty() && captures_.empty()) return false;
  clock_.set();
  bool moved = false;
  for (const auto& t : traces_) moved = drain(*t, now_us, /*last=*/false) || moved;
  for (const auto& c : captures_) moved = drain(*c, kAtOnce) || moved;

  std::list<std::shared_ptr<TraceSession>> old_traces;
  std::list<std::shared_ptr<CaptureSession>> old_captures;
  const auto take_out = [](auto& from, auto& to) {
    for (auto at = from.begin(); at != from.end();) {
      const auto here = at++;
      if ((*here)->stopping) to.splice(to.end(), from, here);
    }
  };
  take_out(traces_, old_traces);
  take_out(captures_, old_captures);
  if (old_traces.empty() && old_captures.empty()) return moved;
  changed_ = true;
  publish();
  clock_.set();
  for (const auto& t : old_traces) {
    drain(*t, now_us, /*last=*/true);
    std::uint64_t lost = 0;
    for (const auto& lane : t->trace->lanes) lost += lane->lost.read();
    t->sink.end(lost);
  }
  for (const auto& c : old_captures) finish(*c);
  return true;
}

core::Expected<ObserverId> Manager::start_trace(const TraceSpec& spec, TraceSink sink) {
  auto id = impl_->observers.add_trace(spec, std::move(sink));
  if (id) impl_->publish();
  return id;
}

core::Expected<ObserverId> Manager::start_capture(const CaptureSpec& spec, CaptureSink sink) {
  auto id =
      impl_->observers.add_capture(spec, std::move(sink), impl_->published->read().interfaces);
  if (id) impl_->publish();
  return id;
}

void Manager::stop_observer(ObserverId id) noexcept {
  impl_->observers.stop(id);
}
}  // namespace polluxd
