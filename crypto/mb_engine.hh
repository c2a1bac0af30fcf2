// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <intel-ipsec-mb.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "crypto/sa.hh"
#include "proto/wire/bytes.hh"

namespace crypto {
/// The 12-byte nonce of AES-GCM in ESP, salt || IV (RFC 4106 section 4), and four bytes of nothing.
class alignas(16) GcmNonce {
public:
  static constexpr std::size_t kSize = 12;  ///< bytes

  /// @param salt, iv  as their bytes stand in memory (load_native).
  GcmNonce(std::uint32_t salt, std::uint64_t iv) noexcept : words_{salt | iv << 32, iv >> 32} {}

  [[nodiscard]] const std::uint8_t* data() const noexcept {
    const void* p = &words_;
    return static_cast<const std::uint8_t*>(p);
  }

private:
  // One 16-byte store, so that the library's 16-byte load need not wait for two smaller ones.
  using Words [[gnu::vector_size(16)]] = std::uint64_t;
  Words words_;
};
/// Bytes of a nonce as the machine holds them, for GcmNonce. x86 only, as IPsec-MB is.
[[nodiscard]] inline std::uint64_t load_native64(const std::uint8_t* p) noexcept {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// A key as the library wants it expanded. Aligned here, for the library stores into it with
/// aligned vector moves, but its header says so only where LINUX is defined.
struct alignas(64) GcmKey {
  gcm_key_data data;
};

/// AES-GCM by IPsec-MB's direct per-packet calls: in every version faster than its job and burst
/// interfaces, and in place. One engine per worker: its manager and its scratch are not shareable.
/// The keys are: every engine of a process picks the same implementation, by the CPU.
class MbEngine {
public:
  static constexpr std::size_t kIcvSize = 16;  ///< bytes

  /// @throws std::runtime_error where the CPU lacks what the library needs (SSE4.2, AES-NI).
  MbEngine();
  ~MbEngine();
  MbEngine(const MbEngine&) = delete;
  MbEngine& operator=(const MbEngine&) = delete;

  /// Expands a key of key_size(a) bytes for seal() and open(). Manager side.
  void expand(Algorithm a, std::span<const std::uint8_t> key, GcmKey& out) const noexcept;

  /// Encrypts `text` in place. @param icv  gets kIcvSize bytes.
  void seal(Algorithm a, const GcmKey& key, const GcmNonce& nonce, proto::Bytes aad,
            proto::MutBytes text, std::uint8_t* icv) noexcept {
    seal_[static_cast<std::size_t>(a)](&key.data, &context_, text.data(), text.data(), text.size(),
                                       nonce.data(), aad.data(), aad.size(), icv, kIcvSize);
  }

  /// Decrypts `text` in place, which is garbage when false is returned.
  /// @param icv  kIcvSize bytes that came with it. @return whether they are right; takes the same
  /// time whichever byte is wrong.
  [[nodiscard]] bool open(Algorithm a, const GcmKey& key, const GcmNonce& nonce, proto::Bytes aad,
                          proto::MutBytes text, const std::uint8_t* icv) noexcept {
    alignas(16) std::array<std::uint8_t, kIcvSize> own;
    open_[static_cast<std::size_t>(a)](&key.data, &context_, text.data(), text.data(), text.size(),
                                       nonce.data(), aad.data(), aad.size(), own.data(), kIcvSize);
    const std::uint64_t differs = (load_native64(own.data()) ^ load_native64(icv)) |
                                  (load_native64(own.data() + 8) ^ load_native64(icv + 8));
    return differs == 0;
  }

private:
  struct Free {
    void operator()(IMB_MGR* m) const noexcept { free_mb_mgr(m); }
  };
  using Call = decltype(IMB_MGR::gcm128_enc);

  std::unique_ptr<IMB_MGR, Free> manager_;
  std::array<Call, 2> seal_{}, open_{};  ///< by Algorithm
  alignas(64) gcm_context_data context_{};
};
}  // namespace crypto
