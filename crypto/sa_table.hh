// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <vector>

#include "core/error.hh"
#include "core/rcu.hh"
#include "crypto/sa.hh"

namespace crypto {
struct Sa;

/// The security association database (RFC 4301 section 4.4.2), in locked memory that is left out of
/// core dumps. The manager adds and removes while workers use it: an SA is written whole before it
/// can be found, and wiped one grace period after it can no longer be.
class SaTable {
public:
  /// @return the table | Full (the memory cannot be had or locked).
  static core::Expected<std::unique_ptr<SaTable>> create(std::size_t capacity, core::Rcu& rcu);
  ~SaTable();

  // Manager side.
  /// @param tunnel  index of the tunnel in IpsecConfig::tunnels; src, dst: outer, host order.
  /// @return the id | Invalid (SPI, key size, window) | Exists (inbound SPI taken) | Full.
  core::Expected<SaId> add(const SaSpec& spec, std::uint16_t tunnel, std::uint32_t src,
                           std::uint32_t dst);
  /// Unpublishes, waits one grace period, wipes. @pre no published tunnel uses it for outbound.
  core::Expected<> remove(SaId id);
  [[nodiscard]] std::vector<SaInfo> list() const;
  [[nodiscard]] std::size_t capacity() const noexcept;
  [[nodiscard]] std::size_t used() const noexcept;
};
}  // namespace crypto
