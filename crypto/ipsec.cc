// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/ipsec.hh"

#include "crypto/mb_engine.hh"
#include "proto/wire/esp.hh"
#include "proto/wire/ip4.hh"

namespace crypto {
EspShard::EspShard(std::size_t sas) : engine{std::make_unique<MbEngine>()}, sa(sas) {}
EspShard::~EspShard() = default;

std::uint16_t tunnel_mtu(std::uint16_t outer_mtu) noexcept {
  using proto::EspView;
  constexpr std::size_t kAround =
      proto::Ip4View::kMinHeaderLen + EspView::kHeaderLen + EspView::kIvLen + EspView::kIcvLen;
  if (outer_mtu < kAround + EspView::kAlign) return 0;
  const std::size_t text = (outer_mtu - kAround) / EspView::kAlign * EspView::kAlign;
  return static_cast<std::uint16_t>(text - EspView::kTrailerLen);
}
}  // namespace crypto
