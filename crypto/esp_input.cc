// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>

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

constexpr std::size_t kEspFrontLen = EspView::kHeaderLen + EspView::kIvLen;

struct Inbound {
  rte_mbuf* m;
  Sa* sa;
  std::uint8_t* esp;  ///< from the SPI on
  std::uint32_t sequence;
  std::uint32_t src, dst;  ///< outer, host order
  std::uint16_t outer_len, text_len, inner_len;
  core::InterfaceId interface;
  std::uint8_t outer_tos;
  bool accepted;  ///< by the replay window

  [[nodiscard]] MutBytes text() const noexcept { return {esp + kEspFrontLen, text_len}; }
};
using Batch = EspBatch<Inbound>;
using Spis = std::array<std::uint32_t, core::Burst::kCapacity>;
using SaIds = std::array<SaId, core::Burst::kCapacity>;

/// Step 1: SPI and sequence number of all.
void parse(core::Worker& w, core::Burst& in, Batch& batch, Spis& spi) noexcept {
  for (rte_mbuf* m : in.take()) {
    if (core::is_chain(*m) && !core::linearize(*m)) [[unlikely]] {
      w.drop(m, DropReason::EspChained);  // the cipher works on contiguous bytes
      continue;
    }
    const MutBytes packet = core::front_bytes_mut(*m);
    const auto ip = proto::Ip4View::parse(packet);
    if (!ip) {
      w.drop(m, DropReason::EspTruncated);  // ip4_input lets none through
      continue;
    }
    const auto esp = EspView::parse(ip->payload());
    if (!esp) {
      w.drop(m, esp.error());
      continue;
    }
    spi[batch.n] = esp->spi();
    batch.push({.m = m,
                .sa = nullptr,
                .esp = packet.data() + ip->header_len(),
                .sequence = esp->sequence(),
                .src = ip->src(),
                .dst = ip->dst(),
                .outer_len = ip->header_len(),
                .text_len = static_cast<std::uint16_t>(esp->ciphertext().size()),
                .inner_len = 0,
                .interface = core::kNoInterface,
                .outer_tos = ip->tos(),
                .accepted = false});
  }
}

/// Step 2: one look-up for the burst.
void find_sas(const IpsecConfig& config, Batch& batch, const Spis& spi) noexcept {
  SaIds id;
  config.sas->find_all({spi.data(), batch.n}, {id.data(), batch.n});
  const Sa* fetched = nullptr;
  for (std::uint16_t i = 0; i < batch.n; ++i) {
    Inbound& p = batch.packet[i];
    p.sa = id[i] == kNoSa ? nullptr : &(*config.sas)[id[i]];
    if (p.sa != nullptr && p.sa != fetched) p.sa->prefetch();
    fetched = p.sa;
  }
}

/// Steps 3 and 4. An SA whose tunnel is not in this snapshot counts as none. The sequence number is
/// judged before the work of decryption is spent on the packet.
Verdict judge_header(const IpsecConfig& config, std::uint16_t vrf, Inbound& p) noexcept {
  if (p.sa == nullptr || p.sa->tunnel >= config.tunnels.size()) return DropReason::EspNoSa;
  const Tunnel& tunnel = config.tunnels[p.sa->tunnel];
  p.interface = tunnel.interface;
  if (p.interface == core::kNoInterface) return DropReason::EspNoSa;
  if (p.src != p.sa->src || p.dst != p.sa->dst || vrf != tunnel.underlay)
    return DropReason::EspWrongEndpoint;
  if (!p.sa->replay.check(p.sequence)) return DropReason::EspReplayed;
  return {};
}

/// Step 5.
Verdict open(MbEngine& engine, const Inbound& p) noexcept {
  const GcmNonce nonce{p.sa->salt, load_native64(p.esp + EspView::kHeaderLen)};
  const MutBytes text = p.text();
  if (!engine.open(p.sa->algorithm, p.sa->key, nonce, Bytes{p.esp, EspView::kHeaderLen}, text,
                   text.data() + text.size()))
    return DropReason::EspBadIcv;
  return {};
}

/// Takes the failed decryption back, so that who watches sees the packet as it came: in counter
/// mode the same key stream once more.
void undo_open(MbEngine& engine, const Inbound& p) noexcept {
  const GcmNonce nonce{p.sa->salt, load_native64(p.esp + EspView::kHeaderLen)};
  std::array<std::uint8_t, EspView::kIcvLen> unused;
  engine.seal(p.sa->algorithm, p.sa->key, nonce, Bytes{p.esp, EspView::kHeaderLen}, p.text(),
              unused.data());
}

/// Step 6. Only now may the window move. It is asked again: the same number may have come twice in
/// this burst, or by another worker.
void take_numbers(Inbound* first, Inbound* last) noexcept {
  first->sa->replay.commit(first, last);
}

bool admits(const Tunnel& tunnel, const proto::Ip4View& inner) noexcept {
  if (tunnel.selectors.empty()) return true;
  return std::any_of(tunnel.selectors.begin(), tunnel.selectors.end(), [&](const Selector& s) {
    return s.remote.contains(inner.src()) && s.local.contains(inner.dst());
  });
}

/// Carries congestion marks that routers put on the outer header over to the inner packet, where
/// its transport understands them (RFC 6040 section 4.2).
void propagate_ecn(MutBytes header, std::uint8_t outer_ecn) noexcept {
  constexpr std::uint8_t kEct1 = 1, kEct0 = 2, kCe = 3;
  const std::uint8_t inner_ecn = header[1] & 3;
  const bool marked = outer_ecn == kCe || (outer_ecn == kEct1 && inner_ecn == kEct0);
  if (!marked || inner_ecn == 0) return;
  const std::uint16_t was = proto::load_be16(header, 0);
  header[1] = static_cast<std::uint8_t>((header[1] & ~3) | outer_ecn);
  proto::store_be16(
      header, 10,
      proto::update_checksum(proto::load_be16(header, 10), was, proto::load_be16(header, 0)));
}

/// Steps 6 and 7. Authenticated is not well-formed, and not allowed either (RFC 4301 section 5.2).
Verdict judge_inner(const Tunnel& tunnel, Inbound& p) noexcept {
  if (!p.accepted) return DropReason::EspReplayed;
  const MutBytes text = p.text();
  const auto trailer = proto::EspTrailerView::parse(text);
  if (!trailer) return DropReason::EspBadPadding;
  if (trailer->next_header() == proto::kProtocolNone) return DropReason::EspDummy;
  if (trailer->next_header() != proto::kProtocolIp4) return DropReason::EspBadNextHeader;
  const auto inner = proto::Ip4View::parse(trailer->payload());
  if (!inner) return DropReason::EspBadInner;
  if (!admits(tunnel, *inner)) return DropReason::EspSelectorMismatch;
  p.inner_len = inner->total_length();
  if (const auto ecn = static_cast<std::uint8_t>(p.outer_tos & 3); ecn != (inner->tos() & 3))
    propagate_ecn(text, ecn);
  return {};
}

/// Step 8: the packet begins at the inner header; what the device said was about the outer one.
rte_mbuf* decapsulate(const Inbound& p) noexcept {
  core::strip_front(*p.m, static_cast<std::uint16_t>(p.outer_len + kEspFrontLen));
  core::keep_front(*p.m, p.inner_len);
  // What stays says who owns the buffer, and who watches the packet.
  p.m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | core::kMarkedFlag;
  p.m->packet_type = 0;
  return p.m;
}

void count_passed(core::Worker& w, EspShard& shard, const Inbound* first,
                  const Inbound* last) noexcept {
  const auto n = static_cast<std::uint64_t>(last - first);
  std::uint64_t bytes = 0;
  for (const Inbound* p = first; p != last; ++p) bytes += p->inner_len;
  shard.sa[first->sa->id].traffic.add(n, bytes);
  w.interface[first->interface].rx.add(n, bytes);
}

void count_dropped(SaCounters& c, DropReason why) noexcept {
  switch (why) {
    case DropReason::EspReplayed: c.replayed.add(1); break;
    case DropReason::EspBadIcv: c.bad_icv.add(1); break;
    case DropReason::EspWrongEndpoint:
    case DropReason::EspSelectorMismatch: c.mismatched.add(1); break;
    case DropReason::EspBadPadding:
    case DropReason::EspBadNextHeader:
    case DropReason::EspBadInner: c.malformed.add(1); break;
    default: break;
  }
}
}  // namespace

// RFC 4303 section 3.4, for the whole burst step by step:
//  1. lengths, SPI and sequence number;
//  2. the SA by its SPI (3.4.2);
//  3. its outer addresses must be the packet's (RFC 4301 section 4.1: the SA is for that peer);
//  4. replay check, which changes nothing (3.4.3);
//  5. decryption in place; the ICV must hold (3.4.4, RFC 4106);
//  6. the replay window takes the number, unless it has it by now;
//  7. padding, next header, inner header, selectors (RFC 4301 section 5.2), congestion marks;
//  8. counters; the outer headers are cut off.
void esp_input(core::Worker& w, EspShard& shard, const IpsecConfig& config, std::uint16_t vrf,
               core::Burst& in, EspInputNext& next) noexcept {
  w.enter(core::Stage::EspInput, in.packets());
  if (config.sas == nullptr) return w.drop_all(in, DropReason::EspNoSa);
  const auto drop = [&](const Inbound& p, DropReason why) {
    if (p.sa != nullptr) count_dropped(shard.sa[p.sa->id], why);
    if (why == DropReason::EspBadIcv && w.observation != nullptr) [[unlikely]]
      undo_open(*shard.engine, p);
    w.drop(p.m, why);
  };
  Batch batch;
  Spis spi;
  parse(w, in, batch, spi);
  find_sas(config, batch, spi);
  batch.sift([&](Inbound& p) { return judge_header(config, vrf, p); }, drop);
  batch.sift([&](const Inbound& p) { return open(*shard.engine, p); }, drop);
  batch.for_each_run(take_numbers);
  batch.sift([&](Inbound& p) { return judge_inner(config.tunnels[p.sa->tunnel], p); }, drop);
  batch.for_each_run(
      [&](const Inbound* first, const Inbound* last) { count_passed(w, shard, first, last); });
  for (const Inbound& p : batch) {
    rte_mbuf* const m = decapsulate(p);
    if (const std::uint16_t overlay = config.tunnels[p.sa->tunnel].overlay; overlay == vrf)
        [[likely]]
      next.inner.push(m);
    else
      next.other.push(m, overlay);
    if (w.observation != nullptr) [[unlikely]]
      core::observe_tunnel(w, p.interface, core::Direction::In, p.m);
  }
}
}  // namespace crypto
