// SPDX-License-Identifier: BSD-3-Clause
#include "proto/fragment.hh"

#include <algorithm>
#include <cassert>

#include "core/inet6.hh"
#include "core/mbuf.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
namespace {
using core::DropReason;

/// The header of fragments that are not the first: of the options, those with the copied flag,
/// padded with End of Option List. Options that ip4_input has checked. @return its length.
std::size_t later_header(Bytes header, MutBytes out) noexcept {
  constexpr std::uint8_t kEnd = 0, kNop = 1, kCopied = 0x80;
  copy(header.first(Ip4View::kMinHeaderLen), out);
  std::size_t n = Ip4View::kMinHeaderLen;
  for (std::size_t at = n; at < header.size() && header[at] != kEnd;) {
    if (header[at] == kNop) {
      ++at;
      continue;
    }
    const std::size_t length = at + 1 < header.size() ? header[at + 1] : 0;
    if (length < 2 || at + length > header.size()) break;
    if ((header[at] & kCopied) != 0) {
      copy(header.subspan(at, length), out.subspan(n));
      n += length;
    }
    at += length;
  }
  while (n % 4 != 0) out[n++] = kEnd;
  out[0] = static_cast<std::uint8_t>(0x40 | n / 4);
  return n;
}
}  // namespace

Fragmentation::Fragmentation(core::Worker& w, IpShard& shard, RoutedBurst& in) noexcept
    : w_{w}, shard_{shard}, hops_{in.notes()} {
  if (in.empty()) return;
  w.enter(core::Stage::Fragment, in.packets());
  packets_ = in.take();
  room_ = w.pool == nullptr ? 0 : rte_pktmbuf_data_room_size(w.pool) - RTE_PKTMBUF_HEADROOM;
}

Fragmentation::~Fragmentation() {
  for (rte_mbuf* m : packets_) w_.drop(m, DropReason::FragmentNoRoom);
}

void Fragmentation::begin_ip4(const rte_mbuf& m) noexcept {
  const Bytes header = core::front_bytes(m).first((core::front_bytes(m)[0] & 0xfu) * 4);
  first_.length = header.size();
  copy(header, first_.bytes);
  later_.length = later_header(header, later_.bytes);
  data_at_ = header.size();
  offset_ = std::size_t{load_be16(header, 6) & 0x1fffu} * 8;
  more_ = (header[6] & 0x20) != 0;
}

bool Fragmentation::begin_ip6(const rte_mbuf& m) noexcept {
  const Bytes packet = core::front_bytes(m);
  std::size_t named_at = Ip6View::kNextHeaderAt, at = Ip6View::kHeaderLen;
  while (packet[named_at] == kProtocolHopByHop || packet[named_at] == kProtocolRouting) {
    named_at = at;
    if (at + 8 > packet.size()) return false;
    at += (std::size_t{packet[at + 1]} + 1) * 8;
  }
  if (at > packet.size() || at + Ip6FragmentView::kLen > kMaxHeader) return false;
  first_.length = at + Ip6FragmentView::kLen;
  copy(packet.first(at), first_.bytes);
  emit(Ip6FragmentFields{.next_header = packet[named_at], .id = shard_.next_ip6_fragment_id()},
       MutBytes{first_.bytes}.subspan(at));
  first_.bytes[named_at] = kProtocolFragment;
  later_ = first_;
  data_at_ = at;
  offset_ = 0;
  more_ = false;
  return true;
}

/// Reads the headers of the first packet. @return false: there is no way to cut it.
bool Fragmentation::begin() noexcept {
  const rte_mbuf& m = *packets_.front();
  ip4_ = !core::kInet6 || core::front_bytes(m)[0] >> 4 == 4;
  if (ip4_)
    begin_ip4(m);
  else if constexpr (core::kInet6)
    if (!begin_ip6(m)) return false;
  const std::size_t most = std::min<std::size_t>((*hops_)->mtu, room_);
  if (most < first_.length + 8) return false;
  piece_ = (most - first_.length) / 8 * 8;
  at_ = data_at_;
  m_end_ = m.pkt_len;
  segment_ = &m;
  segment_at_ = 0;
  begun_ = true;
  return at_ < m_end_;
}

/// The first packet is done with.
void Fragmentation::end() noexcept {
  packets_ = packets_.subspan(1);
  ++hops_;
  begun_ = false;
}

void Fragmentation::write_ip4(MutBytes header, std::size_t packet, std::size_t offset,
                              bool more) noexcept {
  constexpr std::size_t kLengthAt = 2, kFlagsAt = 6, kChecksumAt = 10;
  store_be16(header, kLengthAt, static_cast<std::uint16_t>(packet));
  store_be16(header, kFlagsAt, static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000u : 0u)));
  store_be16(header, kChecksumAt, 0);
  store_be16(header, kChecksumAt, internet_checksum(header));
}

void Fragmentation::write_ip6(MutBytes header, std::size_t packet, std::size_t offset,
                              bool more) noexcept {
  constexpr std::size_t kPayloadLengthAt = 4;
  store_be16(header, kPayloadLengthAt, static_cast<std::uint16_t>(packet - Ip6View::kHeaderLen));
  store_be16(header, header.size() - Ip6FragmentView::kLen + 2,
             static_cast<std::uint16_t>(offset | (more ? 1u : 0u)));
}

/// The next fragment, into an empty buffer.
void Fragmentation::write(rte_mbuf& piece) noexcept {
  const Header& header = at_ == data_at_ ? first_ : later_;
  const std::size_t bytes = std::min(piece_, m_end_ - at_), packet = header.length + bytes;
  core::grow_back(piece, static_cast<std::uint16_t>(packet));
  const MutBytes out = core::front_bytes_mut(piece);
  copy(Bytes{header.bytes}.first(header.length), out);
  const std::size_t offset = offset_ + at_ - data_at_;
  const bool more = more_ || at_ + bytes < m_end_;
  if (ip4_)
    write_ip4(out.first(header.length), packet, offset, more);
  else if constexpr (core::kInet6)
    write_ip6(out.first(header.length), packet, offset, more);
  while (at_ - segment_at_ >= segment_->data_len) {
    segment_at_ += segment_->data_len;
    segment_ = segment_->next;
  }
  core::copy_bytes(*segment_, at_ - segment_at_, out.subspan(header.length));
  at_ += bytes;
}

bool Fragmentation::fill(RoutedBurst& out) noexcept {
  assert(out.empty());
  while (!packets_.empty() && out.size() < core::Burst::kCapacity) {
    std::array<rte_mbuf*, core::Burst::kCapacity> pieces;
    std::size_t n = 0;
    const bool can = begun_ || begin();
    if (can) n = std::min<std::size_t>(pieces_left(), core::Burst::kCapacity - out.size());
    if (!can || rte_pktmbuf_alloc_bulk(w_.pool, pieces.data(), static_cast<unsigned>(n)) != 0) {
      w_.drop(packets_.front(), DropReason::FragmentNoRoom);
      end();
      continue;
    }
    for (std::size_t i = 0; i < n; ++i) {
      write(*pieces[i]);
      out.push(pieces[i], *hops_);
    }
    w_.originated.add(n);
    if (at_ < m_end_) continue;
    w_.consume(packets_.front());
    end();
  }
  return !out.empty();
}
}  // namespace proto
