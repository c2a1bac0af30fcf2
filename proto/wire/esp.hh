// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"

namespace proto {
using core::DropReason;

/// An ESP packet (RFC 4303 section 2) with the 8-byte explicit IV and 16-byte ICV of AES-GCM
/// (RFC 4106). What lies between IV and ICV is ciphertext until the ICV has held.
class EspView {
public:
  static constexpr std::size_t kHeaderLen = 8, kIvLen = 8, kIcvLen = 16, kTrailerLen = 2;
  static constexpr std::size_t kAlign = 4;  ///< of ciphertext (RFC 4303 section 2.4)

  /// @param l4  IP payload, from the SPI to the end of the ICV.
  /// @return the view, or EspTruncated | EspBadLength.
  [[nodiscard]] static constexpr core::Result<EspView, DropReason> parse(Bytes l4) noexcept {
    if (l4.size() < kHeaderLen + kIvLen + kAlign + kIcvLen) return DropReason::EspTruncated;
    if ((l4.size() - kHeaderLen - kIvLen - kIcvLen) % kAlign != 0) return DropReason::EspBadLength;
    return EspView{l4};
  }
  [[nodiscard]] constexpr std::uint32_t spi() const noexcept { return load_be32(bytes_, 0); }
  [[nodiscard]] constexpr std::uint32_t sequence() const noexcept { return load_be32(bytes_, 4); }
  /// SPI and sequence number: the additional authenticated data (RFC 4106 section 5).
  [[nodiscard]] constexpr Bytes aad() const noexcept { return bytes_.first(kHeaderLen); }
  [[nodiscard]] constexpr Bytes iv() const noexcept { return bytes_.subspan(kHeaderLen, kIvLen); }
  [[nodiscard]] constexpr Bytes ciphertext() const noexcept {
    return bytes_.subspan(kHeaderLen + kIvLen, bytes_.size() - kHeaderLen - kIvLen - kIcvLen);
  }
  [[nodiscard]] constexpr Bytes icv() const noexcept { return bytes_.last(kIcvLen); }

private:
  explicit constexpr EspView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

/// The decrypted part of an ESP packet: payload, padding, pad length, next header.
/// Authenticated is not well-formed: the peer may still have built nonsense.
class EspTrailerView {
public:
  /// @param plaintext  what was decrypted. @return the view, or EspBadPadding: pad length beyond
  /// the plaintext, or padding that is not 1, 2, 3, ... (RFC 4303 section 2.4).
  [[nodiscard]] static constexpr core::Result<EspTrailerView, DropReason> parse(
      Bytes plaintext) noexcept {
    if (plaintext.size() < EspView::kTrailerLen) return DropReason::EspBadPadding;
    const std::size_t body = plaintext.size() - EspView::kTrailerLen;
    const std::size_t pad = plaintext[body];
    if (pad > body) return DropReason::EspBadPadding;
    for (std::size_t i = 0; i < pad; ++i)
      if (plaintext[body - pad + i] != i + 1) return DropReason::EspBadPadding;
    return EspTrailerView{plaintext.first(body - pad), plaintext[body + 1]};
  }
  [[nodiscard]] constexpr Bytes payload() const noexcept { return payload_; }
  [[nodiscard]] constexpr std::uint8_t next_header() const noexcept { return next_header_; }

private:
  constexpr EspTrailerView(Bytes payload, std::uint8_t next) noexcept
      : payload_{payload}, next_header_{next} {}
  Bytes payload_;
  std::uint8_t next_header_;
};

struct EspFields {
  std::uint32_t spi, sequence;
};
/// SPI and sequence number. @pre out.size() >= 8.
constexpr void emit(const EspFields& f, MutBytes out) noexcept {
  store_be32(out, 0, f.spi);
  store_be32(out, 4, f.sequence);
}
/// Padding 1, 2, 3, ..., pad length, next header: all of `out`. @pre 2 <= out.size() <= 257.
constexpr void emit_esp_trailer(MutBytes out, std::uint8_t next_header) noexcept {
  const std::size_t pad = out.size() - EspView::kTrailerLen;
  for (std::size_t i = 0; i < pad; ++i) out[i] = static_cast<std::uint8_t>(i + 1);
  out[pad] = static_cast<std::uint8_t>(pad);
  out[pad + 1] = next_header;
}
/// Bytes of padding that align `payload` bytes plus the two-byte trailer to four.
[[nodiscard]] constexpr std::size_t esp_padding(std::size_t payload) noexcept {
  return (EspView::kAlign - (payload + EspView::kTrailerLen) % EspView::kAlign) % EspView::kAlign;
}
}  // namespace proto
