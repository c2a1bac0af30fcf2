// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/spi_index.hh"

#include <bit>
#include <cassert>

namespace crypto {
SpiIndex::SpiIndex(std::size_t capacity)
    : mask_{std::bit_ceil(capacity < 2 ? std::size_t{8} : capacity * 4) - 1},
      shift_{32 - static_cast<unsigned>(std::countr_zero(mask_ + 1))},
      first_{std::make_unique<Word[]>(mask_ + 1)},
      second_{std::make_unique<Word[]>(mask_ + 1)},
      table_{first_.get()} {}

void SpiIndex::put(Word* table, std::uint64_t word) noexcept {
  std::size_t at = home(static_cast<std::uint32_t>(word >> 32));
  while (table[at].load(std::memory_order_relaxed) != 0) at = (at + 1) & mask_;
  table[at].store(word, std::memory_order_release);
}

void SpiIndex::insert(std::uint32_t spi, SaId id) noexcept {
  assert(spi != 0 && find(spi) == kNoSa);
  put(table_.load(std::memory_order_relaxed), std::uint64_t{spi} << 32 | id);
}

void SpiIndex::erase(std::uint32_t spi) noexcept {
  Word* const now = table_.load(std::memory_order_relaxed);
  Word* const next = now == first_.get() ? second_.get() : first_.get();
  for (std::size_t at = 0; at <= mask_; ++at) next[at].store(0, std::memory_order_relaxed);
  for (std::size_t at = 0; at <= mask_; ++at) {
    const std::uint64_t word = now[at].load(std::memory_order_relaxed);
    if (word != 0 && word >> 32 != spi) put(next, word);
  }
  table_.store(next, std::memory_order_release);
}
}  // namespace crypto
