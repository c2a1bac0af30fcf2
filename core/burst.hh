// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace core {
/// Up to 64 packets on their way from one stage to the next. A burst owns what it holds; letting
/// it go while it holds packets is a bug that debug builds catch.
class Burst {
public:
  static constexpr std::uint16_t kCapacity = 64;

  Burst() noexcept {}  // NOLINT: the slots stay uninitialised on purpose, 512 bytes a burst
  Burst(const Burst&) = delete;
  Burst& operator=(const Burst&) = delete;
  ~Burst() { assert(empty() && "a stage lost packets"); }

  void push(rte_mbuf* m) noexcept {
    assert(size_ < kCapacity);
    slots_[size_++] = m;
  }
  /// @pre packets.size() <= room().
  void push(std::span<rte_mbuf* const> packets) noexcept {
    assert(packets.size() <= room());
    std::memcpy(slots_.data() + size_, packets.data(), packets.size_bytes());
    size_ = static_cast<std::uint16_t>(size_ + packets.size());
  }
  [[nodiscard]] std::size_t room() const noexcept { return std::size_t{kCapacity} - size_; }
  /// Hands all packets to the caller and leaves the burst empty.
  [[nodiscard]] std::span<rte_mbuf* const> take() noexcept {
    return {slots_.data(), std::exchange(size_, std::uint16_t{0})};
  }
  /// Lets `receive(rte_mbuf** slots, uint16_t room) -> uint16_t` fill an empty burst in place.
  template <class F>
  void fill(F&& receive) noexcept {
    assert(empty());
    size_ = receive(slots_.data(), kCapacity);
  }
  /// Gives all packets away to `accept(rte_mbuf** slots, uint16_t n)`, as a device wants them.
  template <class F>
  void give(F&& accept) noexcept {
    accept(slots_.data(), std::exchange(size_, std::uint16_t{0}));
  }
  [[nodiscard]] std::span<rte_mbuf* const> packets() const noexcept {
    return {slots_.data(), size_};
  }
  [[nodiscard]] std::uint16_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Pushes many: keeps the count in a register, where push() goes through memory for each packet
  /// (3 cycles a packet and stage). The burst is right again when the writer has gone; nobody else
  /// may push meanwhile.
  class Writer {
  public:
    explicit Writer(Burst& b) noexcept : burst_{b}, size_{b.size_} {}
    ~Writer() { burst_.size_ = size_; }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    void push(rte_mbuf* m) noexcept {
      assert(size_ < kCapacity);
      burst_.slots_[size_++] = m;
    }
    [[nodiscard]] std::uint16_t size() const noexcept { return size_; }

  private:
    Burst& burst_;
    std::uint16_t size_;
  };

private:
  std::array<rte_mbuf*, kCapacity> slots_;
  std::uint16_t size_ = 0;
};

/// A burst with one small note per packet (next hop, destination, cause) in an array beside it, so
/// that the next stage finds it in L1 and not in a further cache line of the mbuf.
template <class Note>
class NotedBurst {
public:
  NotedBurst() noexcept {}  // NOLINT: uninitialised on purpose, as Burst

  void push(rte_mbuf* m, Note note) noexcept {
    notes_[packets_.size()] = note;
    packets_.push(m);
  }
  /// Hands all packets to the caller; notes()[i] stays beside the i-th until the next push().
  [[nodiscard]] std::span<rte_mbuf* const> take() noexcept { return packets_.take(); }
  [[nodiscard]] const Note* notes() const noexcept { return notes_.data(); }
  [[nodiscard]] std::span<rte_mbuf* const> packets() const noexcept { return packets_.packets(); }
  [[nodiscard]] std::uint16_t size() const noexcept { return packets_.size(); }
  [[nodiscard]] bool empty() const noexcept { return packets_.empty(); }

  /// As Burst::Writer.
  class Writer {
  public:
    explicit Writer(NotedBurst& b) noexcept : notes_{b.notes_}, packets_{b.packets_} {}
    void push(rte_mbuf* m, Note note) noexcept {
      notes_[packets_.size()] = note;
      packets_.push(m);
    }

  private:
    std::array<Note, Burst::kCapacity>& notes_;
    Burst::Writer packets_;
  };

private:
  Burst packets_;
  std::array<Note, Burst::kCapacity> notes_;
};
}  // namespace core
