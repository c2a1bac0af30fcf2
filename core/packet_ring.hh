// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

namespace core {
/// A bounded queue of records of any length between exactly two threads, wait-free on both sides. A
/// record is a header of a plain type and bytes behind it, written in place: no buffer, no pool.
template <class Header>
class PacketRing {
  static_assert(std::is_trivially_copyable_v<Header>);

public:
  /// @param capacity  bytes, a power of two.
  explicit PacketRing(std::size_t capacity)
      : capacity_{capacity}, memory_{std::make_unique<std::uint8_t[]>(capacity)} {
    assert(capacity % kAlign == 0 && (capacity & (capacity - 1)) == 0);
  }

  // Producer side. What is written is seen by the consumer once it is published.

  /// Room for a record of `length` bytes, which is not there before write().
  /// @return nothing when it does not fit.
  [[nodiscard]] std::uint8_t* reserve(std::size_t length) noexcept {
    const std::size_t need = record_size(length);
    const std::size_t to_end = capacity_ - written_ % capacity_;
    const std::size_t skipped = need > to_end ? to_end : 0;
    if (!has_room(need + skipped)) return nullptr;
    if (skipped != 0) {
      store_size(written_, kSkip);
      written_ += skipped;
    }
    return at(written_) + kFront;
  }
  /// The record that was reserved last, with `length` bytes or fewer than were asked for.
  void write(const Header& header, std::size_t length) noexcept {
    store_size(written_, length);
    std::memcpy(at(written_) + kAlign, &header, sizeof header);
    written_ += record_size(length);
  }
  /// Names the place behind the last record written.
  [[nodiscard]] std::size_t cursor() const noexcept { return written_; }
  /// Gives away all that was written up to a cursor and forgets what was written after it.
  void publish(std::size_t cursor) noexcept {
    written_ = cursor;
    head_.store(cursor, std::memory_order_release);
  }
  void publish() noexcept { publish(written_); }

  // Consumer side.

  /// The oldest record. @return false when there is none.
  [[nodiscard]] bool front(Header& header, std::span<const std::uint8_t>& bytes) noexcept {
    std::size_t tail = tail_.load(std::memory_order_relaxed);
    const std::size_t head = head_.load(std::memory_order_acquire);
    if (tail == head) return false;
    std::size_t length = load_size(tail);
    if (length == kSkip) {
      tail += capacity_ - tail % capacity_;
      tail_.store(tail, std::memory_order_release);
      if (tail == head) return false;  // what was to follow has been given up
      length = load_size(tail);
    }
    std::memcpy(&header, at(tail) + kAlign, sizeof header);
    bytes = {at(tail) + kFront, length};
    return true;
  }
  /// Forgets the record that front() has shown.
  void pop() noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    tail_.store(tail + record_size(load_size(tail)), std::memory_order_release);
  }

private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kAlign = 8;                   ///< also the bytes of a record's size
  static constexpr std::uint64_t kSkip = ~std::uint64_t{0};  ///< goes on at the start of the memory
  static constexpr std::size_t round_up(std::size_t n) noexcept {
    return (n + kAlign - 1) / kAlign * kAlign;
  }
  static constexpr std::size_t kFront = kAlign + (sizeof(Header) + kAlign - 1) / kAlign * kAlign;
  static constexpr std::size_t record_size(std::size_t length) noexcept {
    return kFront + round_up(length);
  }

  [[nodiscard]] bool has_room(std::size_t bytes) noexcept {
    if (bytes <= capacity_ - (written_ - tail_seen_)) return true;
    tail_seen_ = tail_.load(std::memory_order_acquire);
    return bytes <= capacity_ - (written_ - tail_seen_);
  }
  [[nodiscard]] std::uint8_t* at(std::size_t position) noexcept {
    return memory_.get() + position % capacity_;
  }
  void store_size(std::size_t position, std::uint64_t size) noexcept {
    std::memcpy(at(position), &size, sizeof size);
  }
  [[nodiscard]] std::uint64_t load_size(std::size_t position) noexcept {
    std::uint64_t size;
    std::memcpy(&size, at(position), sizeof size);
    return size;
  }

  const std::size_t capacity_;
  const std::unique_ptr<std::uint8_t[]> memory_;
  alignas(kLine) std::atomic<std::size_t> head_{0};
  std::size_t written_ = 0;    ///< producer's own, at or behind head_
  std::size_t tail_seen_ = 0;  ///< producer's last view of tail_
  alignas(kLine) std::atomic<std::size_t> tail_{0};
};
}  // namespace core
