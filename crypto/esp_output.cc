// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>

#include "core/mbuf.hh"
#include "core/observation.hh"
#include "crypto/esp_batch.hh"
#include "crypto/ipsec.hh"
#include "crypto/sa_slot.hh"
#include "proto/wire/esp.hh"
#include "proto/wire/ip4.hh"

namespace crypto {
namespace {
using core::DropReason;
using proto::Bytes;
using proto::EspView;
using proto::MutBytes;

constexpr std::size_t kOuterLen = proto::Ip4View::kMinHeaderLen;
constexpr std::size_t kFrontLen = kOuterLen + EspView::kHeaderLen + EspView::kIvLen;
constexpr std::size_t kMaxPacket = 65535;  // bytes of an IPv4 packet

struct Outbound {
  rte_mbuf* m;
  Sa* sa;
  std::uint8_t* outer;  ///< where the outer header goes
  std::uint64_t iv;     ///< of Sa::sequence
  std::uint16_t inner_len, text_len;
  core::InterfaceId interface;

  [[nodiscard]] MutBytes packet() const noexcept {
    return {outer, kFrontLen + text_len + EspView::kIcvLen};
  }
  [[nodiscard]] MutBytes esp() const noexcept { return packet().subspan(kOuterLen); }
  /// Inner packet, padding, pad length, next header: what is encrypted.
  [[nodiscard]] MutBytes text() const noexcept { return packet().subspan(kFrontLen, text_len); }
};
using Batch = EspBatch<Outbound>;

/// Padding, pad length and next header by the length of the padding. Eight bytes are copied at
/// once; those behind the trailer are overwritten by the ICV.
constexpr std::array<std::array<std::uint8_t, 8>, EspView::kAlign> kTrailer{{
    {0, proto::kProtocolIp4},
    {1, 1, proto::kProtocolIp4},
    {1, 2, 2, proto::kProtocolIp4},
    {1, 2, 3, 3, proto::kProtocolIp4},
}};
static_assert(EspView::kTrailerLen + EspView::kAlign - 1 <= 8 && EspView::kIcvLen >= 8);

/// The outbound SA of a tunnel, or null.
Sa* find_sa(const IpsecConfig& config, std::size_t tunnel) noexcept {
  if (config.sas == nullptr || tunnel >= config.tunnels.size()) return nullptr;
  const Tunnel& t = config.tunnels[tunnel];
  if (t.interface == core::kNoInterface || t.outbound == kNoSa) return nullptr;
  return &(*config.sas)[t.outbound];
}

/// Step 1.
void find_sas(core::Worker& w, const IpsecConfig& config, core::NotedBurst<std::uint16_t>& in,
              Batch& batch) noexcept {
  const std::uint16_t* tunnel = in.notes();
  const Sa* fetched = nullptr;
  for (rte_mbuf* m : in.take()) {
    const std::size_t t = *tunnel++;
    Sa* sa = find_sa(config, t);
    if (sa == nullptr) {
      w.drop(m, DropReason::EspNoOutboundSa);
      continue;
    }
    if (w.observation != nullptr) [[unlikely]]
      core::observe_tunnel(w, config.tunnels[t].interface, core::Direction::Out, m);
    if (core::is_chain(*m) && !core::linearize(*m)) [[unlikely]] {
      w.drop(m, DropReason::EspChained);  // the cipher works on contiguous bytes
      continue;
    }
    if (sa != fetched) sa->prefetch();
    fetched = sa;
    const Bytes inner = core::front_bytes(*m);
    __builtin_prefetch(inner.data() + inner.size(), 1);
    __builtin_prefetch(inner.data() - kFrontLen, 1);
    batch.push({.m = m,
                .sa = sa,
                .outer = nullptr,
                .iv = 0,
                .inner_len = static_cast<std::uint16_t>(inner.size()),
                .text_len = 0,
                .interface = config.tunnels[t].interface});
  }
}

/// Step 2. Before a sequence number is taken: a packet that cannot be sent must not leave a gap.
Verdict make_room(Outbound& p) noexcept {
  const std::size_t trailer = EspView::kTrailerLen + proto::esp_padding(p.inner_len);
  const std::size_t back = trailer + EspView::kIcvLen;
  if (core::headroom(*p.m) < kFrontLen || core::tailroom(*p.m) < back ||
      kFrontLen + p.inner_len + back > kMaxPacket)
    return DropReason::EspNoRoom;
  core::grow_front(*p.m, kFrontLen);
  core::grow_back(*p.m, static_cast<std::uint16_t>(back));
  p.outer = core::front_bytes_mut(*p.m).data();
  p.text_len = static_cast<std::uint16_t>(p.inner_len + trailer);
  return {};
}

/// Step 3. One atomic addition for all packets of a run, whoever else seals with this SA.
void take_numbers(Outbound* first, Outbound* last) noexcept {
  const auto n = static_cast<std::uint64_t>(last - first);
  std::uint64_t iv = first->sa->sequence.fetch_add(n, std::memory_order_relaxed);
  for (Outbound* p = first; p != last; ++p) p->iv = ++iv;
}

Verdict exhausted(const Outbound& p) noexcept {
  if (p.iv - p.sa->birth <= 0xffffffff) return {};
  return DropReason::EspSequenceExhausted;  // RFC 4303 section 3.3.3: must not cycle
}

/// Step 4. The outer header is the SA's, completed; TOS copies DSCP and ECN of the inner packet
/// (RFC 6040 section 4.1, normal mode).
void write_headers(const Outbound& p) noexcept {
  const MutBytes packet = p.packet();
  const std::uint8_t tos = packet[kFrontLen + 1];
  const auto total = static_cast<std::uint16_t>(packet.size());
  std::memcpy(packet.data(), p.sa->outer.data(), kOuterLen);
  packet[1] = tos;
  proto::store_be16(packet, 2, total);
  proto::store_be16(
      packet, 10, static_cast<std::uint16_t>(~proto::fold_checksum(p.sa->outer_sum + tos + total)));

  proto::emit({.spi = p.sa->spi, .sequence = static_cast<std::uint32_t>(p.iv)}, p.esp());
  proto::store_be64(p.esp(), EspView::kHeaderLen, p.iv);

  const std::size_t pad = p.text_len - p.inner_len - EspView::kTrailerLen;
  std::memcpy(packet.data() + kFrontLen + p.inner_len, kTrailer[pad].data(), 8);
}

/// Step 5.
void seal(MbEngine& engine, const Outbound& p) noexcept {
  const Bytes esp = p.esp();
  const GcmNonce nonce{p.sa->salt, load_native64(esp.data() + EspView::kHeaderLen)};
  const MutBytes text = p.text();
  engine.seal(p.sa->algorithm, p.sa->key, nonce, esp.first(EspView::kHeaderLen), text,
              text.data() + text.size());
}

/// Step 6.
void count(core::Worker& w, EspShard& shard, const Outbound* first, const Outbound* last) noexcept {
  const auto n = static_cast<std::uint64_t>(last - first);
  std::uint64_t bytes = 0;
  for (const Outbound* p = first; p != last; ++p) bytes += p->inner_len;
  shard.sa[first->sa->id].traffic.add(n, bytes);
  w.interface[first->interface].tx.add(n, bytes);
}
}  // namespace

// RFC 4303 section 3.3, for the whole burst step by step:
//  1. the SA of each packet's tunnel (3.3.1);
//  2. room for headers, trailer and ICV in the packet's own buffer;
//  3. sequence numbers (3.3.3);
//  4. padding, ESP header, IV, outer header (3.3.2): in a pass of its own, so that these short
//     stores have left the store buffer before the cipher loads them with wide loads;
//  5. encryption and ICV (RFC 4106), in place;
//  6. counters.
void esp_output(core::Worker& w, EspShard& shard, const IpsecConfig& config,
                core::NotedBurst<std::uint16_t>& in, core::Burst& outer) noexcept {
  w.enter(core::Stage::EspOutput, in.packets());
  const auto drop = [&w](const Outbound& p, DropReason why) {
    if (p.outer != nullptr) {
      // As it came: what make_room() has added is not written yet.
      core::strip_front(*p.m, kFrontLen);
      core::keep_front(*p.m, p.inner_len);
    }
    w.drop(p.m, why);
  };
  Batch batch;
  find_sas(w, config, in, batch);
  batch.sift(make_room, drop);
  batch.for_each_run(take_numbers);
  batch.sift(exhausted, drop);
  for (const Outbound& p : batch) write_headers(p);
  for (const Outbound& p : batch) seal(*shard.engine, p);
  batch.for_each_run(
      [&](const Outbound* first, const Outbound* last) { count(w, shard, first, last); });
  for (const Outbound& p : batch) outer.push(p.m);
}
}  // namespace crypto
