// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.hh"
#include "core/rcu.hh"
#include "crypto/locked_memory.hh"
#include "crypto/sa.hh"
#include "crypto/spi_index.hh"

namespace crypto {
struct Sa;  // crypto/sa_slot.hh
class MbEngine;

/// The security association database (RFC 4301 section 4.4.2), in locked memory that is left out of
/// core dumps. The manager adds and removes while workers use it: an SA is written whole before it
/// can be found, and wiped one grace period after it can no longer be.
class SaTable {
public:
  /// @param capacity  SAs, 1 to 65534.
  /// @return the table | Invalid (capacity) | Full (the memory cannot be had or locked).
  static core::Expected<std::unique_ptr<SaTable>> create(std::size_t capacity, core::Rcu& rcu);
  ~SaTable();
  SaTable(const SaTable&) = delete;
  SaTable& operator=(const SaTable&) = delete;

  // Worker side.
  /// The inbound SA of each SPI, or kNoSa. At most 64 at once.
  void find_all(std::span<const std::uint32_t> spi, std::span<SaId> id) const noexcept {
    index_.find_all(spi, id);
  }
  /// @pre found by find_all(), or the outbound SA of a published tunnel; since the last quiescent
  /// report. Needs crypto/sa_slot.hh.
  [[nodiscard]] Sa& operator[](SaId id) const noexcept;

  // Manager side.
  /// @param tunnel  index of the tunnel in IpsecConfig::tunnels; src, dst: outer, host order.
  /// @return the id | Invalid (SPI, key size, window) | Exists (inbound SPI taken) | Full.
  core::Expected<SaId> add(const SaSpec& spec, std::uint16_t tunnel, std::uint32_t src,
                           std::uint32_t dst);
  /// Unpublishes, waits one grace period, wipes. @pre no published tunnel uses it for outbound.
  /// @return NotFound.
  core::Expected<> remove(SaId id);
  /// Takes an SA out of use without forgetting it: on return no worker has it any more. It keeps
  /// its slot and is not listed. @pre as remove(). @return NotFound.
  core::Expected<> park(SaId id);
  /// Puts a parked SA into use again, in `tunnel` between these endpoints, with its key, its
  /// sequence number and its replay window. @return NotFound | Exists (inbound SPI taken).
  core::Expected<> unpark(SaId id, std::uint16_t tunnel, std::uint32_t src, std::uint32_t dst);
  /// Whether the SA was made with this key; takes the same time whichever byte differs. Works on a
  /// copy in locked memory. @pre the SA is there. @return false also where memory cannot be locked.
  [[nodiscard]] bool has_key(SaId id, const Secret& key) const;
  /// The key that the SA was made with. @return NotFound | Full (memory cannot be locked).
  [[nodiscard]] core::Expected<Secret> key(SaId id) const;
  [[nodiscard]] std::vector<SaInfo> list() const;
  [[nodiscard]] std::size_t capacity() const noexcept { return names_.size(); }
  [[nodiscard]] std::size_t used() const noexcept { return names_.size() - free_.size(); }

private:
  friend struct SaTableInspector;  // of the tests: reads wiped memory
  SaTable(std::size_t capacity, core::Rcu& rcu, LockedMemory memory);
  [[nodiscard]] core::Expected<> judge(const SaSpec& spec) const;
  [[nodiscard]] SaInfo describe(SaId id) const;
  void write(Sa& sa, const SaSpec& spec);
  [[nodiscard]] std::uint64_t next_birth() noexcept;

  core::Rcu& rcu_;
  LockedMemory memory_;
  Sa* slots_;  ///< in memory_
  SpiIndex index_;
  std::unique_ptr<MbEngine> engine_;  ///< the manager's own, for key expansion
  std::vector<std::string> names_;    ///< of the tunnel, by id
  std::vector<bool> used_;            ///< by id
  std::vector<bool> parked_;          ///< by id; used as well
  std::vector<SaId> free_;            ///< the next one last
  std::uint64_t last_birth_ = 0;
};
}  // namespace crypto
