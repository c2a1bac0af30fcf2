// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/template.hh"

#include <algorithm>

#include "proto/wire/checksum.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6.hh"
#include "proto/wire/ip_protocol.hh"

namespace gen {
using proto::MutBytes;

namespace {
constexpr std::size_t kIp4LengthAt = 2, kIp4ChecksumAt = 10, kIp6LengthAt = 4, kUdpLengthAt = 4;

/// Writes the low bytes of `v`, the highest first.
void store(MutBytes b, std::size_t at, std::size_t width, Wide v) noexcept {
  for (std::size_t i = width; i > 0; --i) {
    b[at + i - 1] = static_cast<std::uint8_t>(v);
    v >>= 8;
  }
}
/// Sum of the 16-bit words of a value.
std::uint64_t sum_of(Wide v) noexcept {
  std::uint64_t sum = 0;
  for (; v != 0; v >>= 16) sum += static_cast<std::uint16_t>(v);
  return sum;
}
Wide number_of(const core::MacAddress& m) noexcept {
  Wide v = 0;
  for (const std::uint8_t byte : m) v = v << 8 | byte;
  return v;
}
}  // namespace

std::uint16_t StreamPlan::smallest_frame() const noexcept {
  constexpr std::size_t kMinFrame = 64;
  return static_cast<std::uint16_t>(
      std::max(kMinFrame, payload_offset() + Signature::kLen + kFcsLen));
}

FrameTemplate::FrameTemplate(const StreamPlan& plan, const core::MacAddress& src,
                             const core::MacAddress& dst, std::uint64_t seed)
    : headers_(plan.payload_offset()),
      is_ip6_{plan.is_ip6},
      is_tcp_{plan.is_tcp},
      l3_{plan.l3_offset()},
      l4_{plan.l4_offset()},
      checksum_at_{l4_ + (plan.is_tcp ? 16 : 6)},
      seed_{seed} {
  write_ether(plan, src, dst);
  write_ip(plan);
  write_l4(plan);
  const proto::Bytes all = headers_;
  if (!is_ip6_) ip_sum_ = proto::sum_words(all.subspan(l3_, 20));
  l4_sum_ += proto::sum_words(all.subspan(l4_));
}

// A fixed field is part of the headers; any other is zero there, so that it adds nothing to sums.
void FrameTemplate::add(std::size_t at, std::size_t width, const FieldPlan& field, bool ip_sum,
                        bool l4_sum, Wide or_with) {
  if (field.kind == FieldPlan::Kind::Fixed) {
    store(headers_, at, width, field.min | or_with);
    // What is in the layer 4 header itself is summed with it.
    if (l4_sum && at < l4_) l4_sum_ += sum_of(field.min);
    return;
  }
  slots_.push_back({at, width, or_with, ip_sum, l4_sum,
                    FieldCursor{field, Random{seed_ + slots_.size()}.next()}});
}

void FrameTemplate::write_ether(const StreamPlan& plan, const core::MacAddress& src,
                                const core::MacAddress& dst) {
  add(0, 6, plan.has_eth_dst ? plan.eth_dst : FieldPlan::fixed(number_of(dst)), false, false);
  add(6, 6, plan.has_eth_src ? plan.eth_src : FieldPlan::fixed(number_of(src)), false, false);
  std::size_t at = 12;
  for (const VlanPlan& v : plan.vlans) {
    proto::store_be16(headers_, at, v.tpid);
    add(at + 2, 2, v.id, false, false, Wide{v.pcp} << 13);
    at += 4;
  }
  proto::store_be16(headers_, at, is_ip6_ ? proto::kEtherTypeIp6 : proto::kEtherTypeIp4);
}

void FrameTemplate::write_ip(const StreamPlan& plan) {
  const MutBytes ip = MutBytes{headers_}.subspan(l3_);
  const std::uint8_t protocol = is_tcp_ ? proto::kProtocolTcp : proto::kProtocolUdp;
  const auto tos = static_cast<std::uint8_t>(plan.dscp << 2);
  l4_sum_ += protocol;
  if (is_ip6_) {
    emit(proto::Ip6Fields{.traffic_class = tos,
                          .flow_label = 0,
                          .next_header = protocol,
                          .hop_limit = plan.ttl,
                          .src = {},
                          .dst = {}},
         ip, proto::Ip6View::kHeaderLen);
    add(l3_, 4, plan.flow_label, false, false, Wide{6} << 28 | Wide{tos} << 20);
    add(l3_ + proto::Ip6View::kSourceAt, 16, plan.src, false, true);
    add(l3_ + proto::Ip6View::kDestinationAt, 16, plan.dst, false, true);
    return;
  }
  emit(proto::Ip4Fields{.tos = tos, .dont_fragment = false, .ttl = plan.ttl, .protocol = protocol},
       ip, 0);
  proto::store_be16(ip, kIp4ChecksumAt, 0);
  add(l3_ + 4, 2, plan.id, true, false);
  add(l3_ + 12, 4, plan.src, true, true);
  add(l3_ + 16, 4, plan.dst, true, true);
}

void FrameTemplate::write_l4(const StreamPlan& plan) {
  add(l4_, 2, plan.src_port, false, true);
  add(l4_ + 2, 2, plan.dst_port, false, true);
  if (!is_tcp_) return;
  // TCP-like: a header of 20 bytes with ACK and PSH, sequence numbers zero; nobody keeps a state.
  headers_[l4_ + 12] = 5 << 4;
  headers_[l4_ + 13] = 0x18;
  proto::store_be16(headers_, l4_ + 14, 0xffff);
}

void FrameTemplate::write(MutBytes frame, const Signature& signature) noexcept {
  __builtin_memcpy(frame.data(), headers_.data(), headers_.size());
  std::uint64_t ip_sum = ip_sum_, l4_sum = l4_sum_;
  for (Slot& s : slots_) {
    const Wide v = s.values.next();
    store(frame, s.at, s.width, v | s.or_with);
    if (!s.in_ip_sum && !s.in_l4_sum) continue;
    const std::uint64_t sum = sum_of(v);
    if (s.in_ip_sum) ip_sum += sum;
    if (s.in_l4_sum) l4_sum += sum;
  }
  const auto l4_length = static_cast<std::uint16_t>(frame.size() - l4_);
  if (is_ip6_) {
    proto::store_be16(frame, l3_ + kIp6LengthAt, l4_length);
  } else {
    const auto length = static_cast<std::uint16_t>(frame.size() - l3_);
    proto::store_be16(frame, l3_ + kIp4LengthAt, length);
    const auto checksum = static_cast<std::uint16_t>(~proto::fold_checksum(ip_sum + length));
    proto::store_be16(frame, l3_ + kIp4ChecksumAt, checksum);
  }
  l4_sum += l4_length;  // of the pseudo-header
  if (!is_tcp_) {
    proto::store_be16(frame, l4_ + kUdpLengthAt, l4_length);
    l4_sum += l4_length;
  }
  const MutBytes payload = frame.subspan(headers_.size());
  store_signature(signature, payload);
  std::ranges::fill(payload.subspan(Signature::kLen), std::uint8_t{0});
  set_checksum(frame, l4_sum + proto::sum_words(payload.first(Signature::kLen)));
}

void FrameTemplate::restamp(MutBytes frame, std::uint64_t time) const noexcept {
  const std::size_t at = headers_.size() + Signature::kTimeAt;
  // RFC 1624 equation 3, over the four words at once.
  const std::uint64_t was = sum_of(Wide{~proto::load_be64(frame, at)});
  const auto checksum = static_cast<std::uint16_t>(~proto::load_be16(frame, checksum_at_));
  proto::store_be64(frame, at, time);
  set_checksum(frame, std::uint64_t{checksum} + was + sum_of(Wide{time}));
}

void FrameTemplate::set_checksum(MutBytes frame, std::uint64_t sum) const noexcept {
  auto checksum = static_cast<std::uint16_t>(~proto::fold_checksum(sum));
  // Zero means that there is none (RFC 768); TCP's may be zero.
  if (checksum == 0 && !is_tcp_) checksum = 0xffff;
  proto::store_be16(frame, checksum_at_, checksum);
}
}  // namespace gen
