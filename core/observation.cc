// SPDX-License-Identifier: BSD-3-Clause
#include "core/observation.hh"

#include <rte_cycles.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <cstring>

#include "core/mbuf.hh"

namespace core {
namespace {
constexpr std::size_t kAddresses = 12;  ///< bytes before the tags of a frame

PacketMark& mark_of(const Observation& o, rte_mbuf* m) noexcept {
  return *RTE_MBUF_DYNFIELD(m, o.mark_offset, PacketMark*);  // NOLINT: no packet memory
}
const PacketMark& mark_of(const Observation& o, const rte_mbuf* m) noexcept {
  return *RTE_MBUF_DYNFIELD(m, o.mark_offset, const PacketMark*);  // NOLINT: no packet memory
}
bool is_marked(const Observation& o, const rte_mbuf* m) noexcept {
  return (m->ol_flags & kMarkedFlag) != 0 && mark_of(o, m).epoch == o.epoch;
}
bool is_traced(const Observation& o, const rte_mbuf* m) noexcept {
  return o.trace != nullptr && is_marked(o, m) && mark_of(o, m).packet != 0 &&
         mark_of(o, m).trace == o.trace->id;
}
/// The packet's mark, a new one where it has none.
PacketMark& mark(const Observation& o, rte_mbuf* m) noexcept {
  PacketMark& p = mark_of(o, m);
  if (!is_marked(o, m)) p = PacketMark{.epoch = o.epoch};
  m->ol_flags |= kMarkedFlag;
  return p;
}
void unmark(rte_mbuf* m) noexcept {
  m->ol_flags &= ~kMarkedFlag;
}

// ---- trace -------------------------------------------------------------------------------------
Trace::Lane& lane(const Worker& w) noexcept {
  return *w.observation->trace->lanes[w.index];
}

TraceRecord record_of(const Worker& w, const rte_mbuf* m, TraceRecord::Kind kind,
                      Layer layer) noexcept {
  const PacketMark& p = mark_of(*w.observation, m);
  TraceRecord r{.at = rte_rdtsc(),
                .packet = p.packet,
                .length = m->pkt_len,
                .interface = p.interface,
                .kind = kind,
                .layer = layer};
  r.captured = static_cast<std::uint8_t>(copy_bytes(*m, 0, r.bytes));
  return r;
}

void post(Worker& w, const TraceRecord& r) noexcept {
  if (!lane(w).ring.push(r)) lane(w).lost.add(1);
}

/// A packet comes in: its number, if the filter takes it.
void enter_trace(Worker& w, rte_mbuf* m, TraceRecord::Kind kind, Layer layer,
                 InterfaceId interface) noexcept {
  const Observation& o = *w.observation;
  if (o.trace == nullptr) return;
  if (!is_traced(o, m)) {
    Trace::Lane& l = lane(w);
    if (l.marked == o.trace->count) return;
    const PacketFilter& filter = layer == Layer::Ethernet ? o.trace->ethernet : o.trace->ip;
    if (!filter.matches(front_bytes(*m), m->pkt_len)) return;
    PacketMark& p = mark(o, m);
    p.packet = std::uint32_t{w.index} << 24 | ++l.marked;
    p.trace = o.trace->id;
  } else if (kind == TraceRecord::Kind::Own) {
    return;  // it has a past
  }
  mark_of(o, m).interface = interface;
  post(w, record_of(w, m, kind, layer));
}

void end_trace(Worker& w, const rte_mbuf* m, TraceRecord::Kind kind, std::uint8_t what,
               Layer layer) noexcept {
  if (!is_traced(*w.observation, m)) return;
  TraceRecord r = record_of(w, m, kind, layer);
  r.what = what;
  post(w, r);
}

Layer layer_of(Stage s) noexcept {
  switch (s) {
    case Stage::Rss:
    case Stage::EtherInput: return Layer::Ethernet;
    case Stage::VlanInput: return Layer::VlanTag;
    case Stage::ArpInput: return Layer::Arp;
    default: return Layer::Ip;
  }
}

// ---- capture -----------------------------------------------------------------------------------
/// Which bytes of a packet are captured.
struct Cut {
  std::size_t before = 0;  ///< bytes in front of the data that belong to it
  std::size_t tags = 0;    ///< bytes behind the addresses that are left out
};

/// Copies the packet's first `room` bytes, of all segments. @return how many there were.
std::size_t copy_packet(rte_mbuf* m, Cut cut, std::span<std::uint8_t> out) noexcept {
  std::size_t n = 0, skip_at = cut.tags == 0 ? SIZE_MAX : kAddresses;
  const auto add = [&](std::span<const std::uint8_t> bytes) {
    bytes = bytes.first(std::min(bytes.size(), out.size() - n));
    if (!bytes.empty()) std::memcpy(out.data() + n, bytes.data(), bytes.size());
    n += bytes.size();
  };
  if (cut.before != 0) add(room_before(*m, cut.before));
  for (const rte_mbuf* s = m; s != nullptr && n < out.size(); s = s->next) {
    auto bytes = front_bytes(*s);
    if (bytes.size() >= skip_at + cut.tags) {
      add(bytes.first(skip_at));
      bytes = bytes.subspan(skip_at + cut.tags);
      skip_at = SIZE_MAX - cut.tags;
    }
    add(bytes);
  }
  return n;
}

const PacketFilter& filter_of(const Capture& c, InterfaceId interface) noexcept {
  return c.wants[interface] == Capture::Want::Esp ? c.esp : c.ethernet;
}

bool wants(const Capture& c, InterfaceId interface) noexcept {
  return interface < c.wants.size() && c.wants[interface] != Capture::Want::Nothing;
}

/// The packet's copy, written but not published. @return false: there was no room for it.
bool take(const Capture& c, Capture::Lane& lane, rte_mbuf* m, Cut cut, CaptureHeader h,
          const PacketFilter& filter) noexcept {
  h.length = static_cast<std::uint32_t>(m->pkt_len + cut.before - cut.tags);
  // Without tags to leave out the packet lies in one piece, and is judged before it is copied.
  if (cut.tags == 0) {
    const auto front = front_bytes(*m);
    if (!filter.matches({front.data() - cut.before, front.size() + cut.before}, h.length))
      return true;
  }
  const std::size_t room = std::min<std::size_t>(c.snaplen, h.length);
  const std::size_t judged = cut.tags == 0 ? room : h.length;
  std::uint8_t* slot = lane.ring.reserve(judged);
  if (slot == nullptr) return false;
  const std::size_t copied = copy_packet(m, cut, {slot, judged});
  if (cut.tags != 0 && !filter.matches({slot, copied}, h.length)) return true;
  lane.ring.write(h, std::min(copied, room));
  return true;
}

void lose(Capture::Lane& lane, InterfaceId interface, std::uint64_t n) noexcept {
  lane.lost[std::min<std::size_t>(interface, lane.lost.size() - 1)].add(n);
}

void take_all(Worker& w, const Interface& at, Direction direction, Cut cut,
              std::span<rte_mbuf* const> frames) noexcept {
  const CaptureHeader h{.at = rte_rdtsc(), .interface = at.id, .direction = direction};
  for (const Capture& c : w.observation->captures) {
    if (!wants(c, at.id)) continue;
    Capture::Lane& lane = *(*c.lanes)[w.index];
    const PacketFilter& filter = filter_of(c, at.id);
    for (rte_mbuf* m : frames)
      if (!take(c, lane, m, cut, h, filter)) lose(lane, at.id, 1);
    lane.ring.publish();
  }
}

/// What is captured of a dropped packet, and what it begins with: the frame, where the data stand
/// at it or at most two tags behind the place where it came in; else an IP packet; else bytes.
Cut cut_dropped(const Observation& o, const rte_mbuf* m, DropReason why,
                CaptureHeader& h) noexcept {
  constexpr int kMaxLinkHeader = 22;
  const Layer layer = layer_of(why);
  const bool marked = is_marked(o, m);
  const PacketMark p = marked ? mark_of(o, m) : PacketMark{};
  h.interface = p.interface;
  if (why == DropReason::TxQueueFull)
    h.direction = Direction::Out;
  else if (p.interface != kNoInterface && why != DropReason::HandoffFull &&
           why != DropReason::TxChained && why != DropReason::InterfaceGone)
    h.direction = Direction::In;
  if (layer == Layer::Ethernet) {
    h.layer = Layer::Ethernet;
    return {};
  }
  const int behind = int{m->data_off} - int{p.frame_at};
  if (p.frame_at != PacketMark::kNoFrame && behind >= 0 && behind <= kMaxLinkHeader) {
    h.layer = Layer::Ethernet;
    return {.before = static_cast<std::size_t>(behind)};
  }
  h.layer = layer == Layer::Ip ? Layer::Ip : Layer::Unknown;
  return {};
}
}  // namespace

Layer layer_of(DropReason why) noexcept {
  switch (why) {
    case DropReason::WorkerStopping: return Layer::Ip;  // it was held
    case DropReason::EtherUnknownType: return Layer::Unknown;
    default: break;
  }
  const std::string_view layer = info(why).layer;
  if (layer == "port" || layer == "rss" || layer == "ether") return Layer::Ethernet;
  if (layer == "vlan") return Layer::VlanTag;
  if (layer == "arp") return Layer::Arp;
  return Layer::Ip;
}

void observe_receive(Worker& w, const Interface& in, std::span<rte_mbuf* const> frames) noexcept {
  const Observation& o = *w.observation;
  take_all(w, in, Direction::In, {}, frames);
  for (rte_mbuf* m : frames) {
    enter_trace(w, m, TraceRecord::Kind::Received, Layer::Ethernet, in.id);
    if (!o.mark_all) continue;
    PacketMark& p = mark(o, m);
    p.interface = in.id;
    p.frame_at = m->data_off;
  }
}

void observe_transmit(Worker& w, const Interface& out, std::uint16_t queue,
                      std::span<rte_mbuf* const> frames) noexcept {
  const Observation& o = *w.observation;
  CaptureHeader h{.at = rte_rdtsc(), .interface = out.id, .direction = Direction::Out};
  for (const Capture& c : o.captures) {
    if (!wants(c, out.id)) continue;
    Capture::Lane& l = *(*c.lanes)[w.index];
    const PacketFilter& filter = filter_of(c, out.id);
    std::uint32_t lost = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      lost += take(c, l, frames[i], {}, h, filter) ? 0 : 1;
      l.leaving[i] = {l.ring.cursor(), lost};
    }
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    rte_mbuf* m = frames[i];
    if (o.trace != nullptr) {
      TraceRecord& r = lane(w).leaving[i];
      r.packet = 0;
      if (is_traced(o, m)) {
        r = record_of(w, m, TraceRecord::Kind::Sent, Layer::Ethernet);
        r.interface = out.id;
        r.where = queue;
      }
    }
    unmark(m);  // its buffer goes on without us
  }
}

void observe_transmitted(Worker& w, const Interface& out, std::span<rte_mbuf* const> frames,
                         std::uint16_t sent) noexcept {
  const Observation& o = *w.observation;
  for (const Capture& c : o.captures) {
    if (!wants(c, out.id) || sent == 0) continue;
    Capture::Lane& l = *(*c.lanes)[w.index];
    lose(l, out.id, l.leaving[sent - 1].lost);
    l.ring.publish(l.leaving[sent - 1].cursor);
  }
  for (std::size_t i = 0; o.trace != nullptr && i < frames.size(); ++i) {
    const TraceRecord& r = lane(w).leaving[i];
    if (r.packet == 0) continue;
    if (i < sent)
      post(w, r);
    else
      frames[i]->ol_flags |= kMarkedFlag;  // still ours; its end comes
  }
  for (rte_mbuf* m : frames.subspan(sent))
    if (o.mark_all || is_marked(o, m)) mark(o, m).interface = out.id;
}

void observe_vlan_transmit(Worker& w, const Interface& out,
                           std::span<rte_mbuf* const> frames) noexcept {
  take_all(w, out, Direction::Out, {.tags = out.encapsulation.length}, frames);
}

void observe_tunnel(Worker& w, InterfaceId tunnel, Direction direction, rte_mbuf* m) noexcept {
  const Observation& o = *w.observation;
  const CaptureHeader h{
      .at = rte_rdtsc(), .interface = tunnel, .layer = Layer::Ip, .direction = direction};
  for (const Capture& c : o.captures) {
    if (!wants(c, tunnel)) continue;
    Capture::Lane& l = *(*c.lanes)[w.index];
    if (!take(c, l, m, {}, h, c.ip)) lose(l, tunnel, 1);
    l.ring.publish();
  }
  if (direction != Direction::In) return;
  if (o.mark_all || is_marked(o, m)) {
    PacketMark& p = mark(o, m);
    p.interface = tunnel;
    p.frame_at = PacketMark::kNoFrame;  // ESP stands before it now, no link header
  }
  enter_trace(w, m, TraceRecord::Kind::Opened, Layer::Ip, tunnel);
}

void observe_stage(Worker& w, Stage s, std::span<rte_mbuf* const> packets) noexcept {
  const Observation& o = *w.observation;
  if (s == Stage::HandoffInput) return;  // observe_handoff() knows more
  if (s == Stage::Ip4Output)
    for (rte_mbuf* m : packets) {
      if (is_marked(o, m)) mark_of(o, m).frame_at = PacketMark::kNoFrame;
      enter_trace(w, m, TraceRecord::Kind::Own, Layer::Ip, kNoInterface);
    }
  if (o.trace == nullptr) return;
  for (const rte_mbuf* m : packets) {
    if (!is_traced(o, m)) continue;
    TraceRecord r = record_of(w, m, TraceRecord::Kind::Stage, layer_of(s));
    r.what = static_cast<std::uint8_t>(s);
    post(w, r);
  }
}

void observe_handoff(Worker& w, std::span<const HandedPacket> handed, bool own) noexcept {
  const Observation& o = *w.observation;
  for (const HandedPacket& p : handed) {
    const bool ip = p.kind == HandedPacket::Kind::Ip4;
    const Layer layer = ip ? Layer::Ip : Layer::Ethernet;
    if (own) enter_trace(w, p.m, TraceRecord::Kind::Own, layer, kNoInterface);
    if (!is_traced(o, p.m)) continue;
    TraceRecord r = record_of(w, p.m, TraceRecord::Kind::Stage, layer);
    r.what = static_cast<std::uint8_t>(Stage::HandoffInput);
    post(w, r);
  }
}

void observe_hand_over(Worker& w, const rte_mbuf* m, std::uint16_t worker) noexcept {
  if (!is_traced(*w.observation, m)) return;
  TraceRecord r = record_of(w, m, TraceRecord::Kind::HandedOver, Layer::Ethernet);
  r.where = worker;
  post(w, r);
}

void observe_hold(Worker& w, const rte_mbuf* m) noexcept {
  end_trace(w, m, TraceRecord::Kind::Held, 0, Layer::Ip);
}

void observe_consume(Worker& w, rte_mbuf* m) noexcept {
  const auto front = front_bytes(*m);
  // Only ARP and ICMP end with us.
  const bool ip = !front.empty() && front[0] >> 4 == 4;
  end_trace(w, m, TraceRecord::Kind::Delivered, 0, ip ? Layer::Ip : Layer::Arp);
  unmark(m);
}

void observe_drop(Worker& w, rte_mbuf* m, DropReason why) noexcept {
  const Observation& o = *w.observation;
  CaptureHeader h{.at = rte_rdtsc(), .reason = static_cast<std::uint16_t>(why)};
  for (const Capture& c : o.captures) {
    if (!c.drops) continue;
    Capture::Lane& l = *(*c.lanes)[w.index];
    const Cut cut = cut_dropped(o, m, why, h);
    // A filter knows nothing of bytes of which we do not know where they begin.
    if (h.layer == Layer::Unknown && !c.ip.takes_all()) continue;
    const PacketFilter& filter = h.layer == Layer::Ethernet ? c.ethernet : c.ip;
    if (!take(c, l, m, cut, h, filter)) lose(l, h.interface, 1);
    l.ring.publish();
  }
  end_trace(w, m, TraceRecord::Kind::Dropped, static_cast<std::uint8_t>(why), layer_of(why));
  unmark(m);
}
}  // namespace core
