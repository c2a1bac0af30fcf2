// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "crypto/sa.hh"

namespace crypto {
/// SPI -> SaId of the inbound SAs: open addressing with linear probing in an array of 64-bit words
/// that hold key and value together, at most a quarter full. One writer; readers need no lock:
/// an insertion is one store into an empty word, and a deletion publishes a second array without
/// the key, so a reader never sees an entry move. No tombstones, no allocation after creation.
/// The peer does not choose our inbound SPIs, so it cannot make the probes long.
class SpiIndex {
public:
  /// @param capacity  entries. @throws std::bad_alloc
  explicit SpiIndex(std::size_t capacity);

  /// Worker side: the id of each SPI, or kNoSa. All home words are fetched before the first is
  /// read. What was written before insert() is seen by whoever finds the entry.
  /// @pre spi.size() <= 64, id.size() >= spi.size().
  void find_all(std::span<const std::uint32_t> spi, std::span<SaId> id) const noexcept {
    const Word* table = table_.load(std::memory_order_acquire);
    for (const std::uint32_t key : spi) __builtin_prefetch(&table[home(key)]);
    for (std::size_t i = 0; i < spi.size(); ++i) id[i] = find(table, spi[i]);
  }
  [[nodiscard]] SaId find(std::uint32_t spi) const noexcept {
    return find(table_.load(std::memory_order_acquire), spi);
  }

  // Manager side.
  /// @pre spi is not 0 and not in the index, which is not full.
  void insert(std::uint32_t spi, SaId id) noexcept;
  /// Readers may find the entry for one more grace period.
  /// @pre a grace period has passed since the erase() before.
  void erase(std::uint32_t spi) noexcept;

private:
  using Word = std::atomic<std::uint64_t>;  ///< SPI << 32 | id; 0: empty

  [[nodiscard]] std::size_t home(std::uint32_t spi) const noexcept {
    return spi * 0x9e3779b1u >> shift_;  // Fibonacci hashing: neighbours in SPI spread well
  }
  [[nodiscard]] SaId find(const Word* table, std::uint32_t spi) const noexcept {
    for (std::size_t at = home(spi);; at = (at + 1) & mask_) {
      const std::uint64_t word = table[at].load(std::memory_order_acquire);
      if (word >> 32 == spi && word != 0) return static_cast<SaId>(word);
      if (word == 0) return kNoSa;
    }
  }
  void put(Word* table, std::uint64_t word) noexcept;

  std::size_t mask_;
  unsigned shift_;  ///< 32 - log2 of the number of words
  std::unique_ptr<Word[]> first_, second_;
  std::atomic<Word*> table_;  ///< one of the two
};
}  // namespace crypto
