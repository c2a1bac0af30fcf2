// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace crypto {
/// Anti-replay (RFC 4303 section 3.4.3) for one inbound SA, without locks, for any number of
/// workers.
///
/// As in RFC 6479 the window is a ring of bitmap blocks in which the highest number only ever
/// overwrites what it has left behind. Here each 64-bit word of the ring holds the number of its
/// block and the block's bitmap together, so one compare-exchange both decides and records:
///  - the word is of the packet's block: the number is new if its bit is clear;
///  - it is of an older block: that block has left the window, the word is taken over;
///  - it is of a newer block: the packet is left of the window.
/// A number, once accepted, stays refused: its bit stays until a newer block takes the word, and
/// from then on the block itself is refused. That holds whatever the order in which workers get
/// there; `top_` only decides where exactly the window ends.
class ReplayWindow {
public:
  static constexpr std::uint32_t kMaxSize = 4096;  ///< packets

  /// @param packets  size of the window, 0 (off: everything is accepted) to kMaxSize.
  /// @throws std::bad_alloc
  explicit ReplayWindow(std::uint32_t packets)
      : size_{packets},
        mask_{words_for(packets) - 1},
        lines_{std::make_unique<Line[]>(words_for(packets) / kWordsPerLine)} {
    assert(packets <= kMaxSize);
  }

  /// Before decryption: may the number be accepted? Changes nothing, so a forged packet moves
  /// nothing.
  [[nodiscard]] bool check(std::uint32_t sequence) const noexcept {
    if (size_ == 0) return true;
    if (!may_accept(sequence, highest())) return false;
    const std::uint64_t word = word_of(sequence).load(std::memory_order_relaxed);
    return next_word(word, sequence) != word;
  }

  /// After the ICV has held: records the number. @return false: it has been accepted before or has
  /// left the window since check(); the packet is a replay.
  [[nodiscard]] bool commit(std::uint32_t sequence) noexcept {
    struct {
      std::uint32_t sequence;
      bool accepted;
    } one{sequence, false};
    commit(&one, &one + 1);
    return one.accepted;
  }

  /// commit() for several packets in their order, with one compare-exchange for all that follow
  /// each other in one block, which is nearly all: an atomic operation per packet would cost a
  /// third of what decrypting a short packet does.
  /// @param first, last  of a type that has `sequence`, which is read, and `accepted`, which is
  /// set.
  template <class Packet>
  void commit(Packet* first, Packet* last) noexcept {
    std::uint32_t top = top_.load(std::memory_order_relaxed);
    while (first != last) {
      Packet* end = first + 1;
      while (end != last && end->sequence / kBlockBits == first->sequence / kBlockBits) ++end;
      top = commit_block(first, end, top);
      first = end;
    }
    raise_top(top);
  }

  /// The highest number accepted; 0: none yet.
  [[nodiscard]] std::uint32_t highest() const noexcept {
    return top_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  /// Brings the word of a number closer.
  void prefetch(std::uint32_t sequence) const noexcept {
    __builtin_prefetch(&word_of(sequence), 1);
  }

private:
  static constexpr std::uint32_t kBlockBits = 32, kWordsPerLine = 8;
  struct alignas(64) Line {
    std::array<std::atomic<std::uint64_t>, kWordsPerLine> words{};
  };

  /// `packets` numbers reach into at most (packets + 30) / 32 + 1 blocks, wherever they begin;
  /// those must not share words. A power of two, one cache line at least: enough for 224 packets.
  [[nodiscard]] static constexpr std::uint32_t words_for(std::uint32_t packets) noexcept {
    const std::uint32_t blocks = (packets + kBlockBits - 2) / kBlockBits + 1;
    return blocks < kWordsPerLine ? kWordsPerLine : std::bit_ceil(blocks);
  }
  /// The word with the number in it; the same word where the number is seen or left of the ring.
  [[nodiscard]] static constexpr std::uint64_t next_word(std::uint64_t word,
                                                         std::uint32_t sequence) noexcept {
    const std::uint64_t block = sequence / kBlockBits, held = word >> 32;
    const std::uint64_t bit = std::uint64_t{1} << (sequence % kBlockBits);
    if (held == block) return word | bit;
    return held < block ? block << 32 | bit : word;
  }
  [[nodiscard]] std::atomic<std::uint64_t>& word_of(std::uint32_t sequence) const noexcept {
    const std::uint32_t index = sequence / kBlockBits & mask_;
    return lines_[index / kWordsPerLine].words[index % kWordsPerLine];
  }
  [[nodiscard]] bool may_accept(std::uint32_t sequence, std::uint32_t top) const noexcept {
    return sequence != 0 && (sequence > top || top - sequence < size_);
  }
  /// Packets of one block. Relaxed: nothing but the words themselves hangs on their order.
  /// @param top  the highest number accepted so far. @return the same after these.
  template <class Packet>
  std::uint32_t commit_block(Packet* first, Packet* end, std::uint32_t top) noexcept {
    std::atomic<std::uint64_t>& slot = word_of(first->sequence);
    std::uint64_t word = slot.load(std::memory_order_relaxed), next;
    std::uint32_t new_top;
    do {
      next = word;
      new_top = top;
      for (Packet* p = first; p != end; ++p) {
        const std::uint64_t with = next_word(next, p->sequence);
        p->accepted = size_ == 0 || (may_accept(p->sequence, new_top) && with != next);
        if (!p->accepted) continue;
        next = with;
        new_top = std::max(new_top, p->sequence);
      }
    } while (next != word && !slot.compare_exchange_weak(word, next, std::memory_order_relaxed));
    return new_top;
  }
  void raise_top(std::uint32_t sequence) noexcept {
    std::uint32_t top = top_.load(std::memory_order_relaxed);
    while (sequence > top &&
           !top_.compare_exchange_weak(top, sequence, std::memory_order_relaxed)) {}
  }

  std::atomic<std::uint32_t> top_{0};
  std::uint32_t size_, mask_;
  std::unique_ptr<Line[]> lines_;
};
}  // namespace crypto
