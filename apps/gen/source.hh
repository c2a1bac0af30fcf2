// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <span>

#include "apps/gen/flow.hh"
#include "apps/gen/frame_size.hh"
#include "apps/gen/pacer.hh"
#include "apps/gen/plan.hh"
#include "apps/gen/template.hh"

namespace gen {
class Source;

/// Packets of one port's queue that are to be sent next. What the device does not take stays, in
/// its order, until it does: sequence numbers have no holes of our own making.
class Outbox {
public:
  static constexpr std::uint16_t kRoom = 32;

  /// @param pool  where packets come from; outlives this.
  explicit Outbox(rte_mempool& pool) noexcept : pool_{pool} {}
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  ~Outbox() { discard(); }

  [[nodiscard]] bool empty() const noexcept { return first_ == end_; }
  [[nodiscard]] std::uint16_t room() const noexcept {
    return static_cast<std::uint16_t>(kRoom - end_);
  }
  /// A packet of `length` bytes to be written and then pushed. @return null: no buffer is free.
  [[nodiscard]] rte_mbuf* take(std::uint16_t length) noexcept;
  /// @pre room() > 0.
  void push(rte_mbuf* m, Source* from) noexcept {
    packets_[end_] = m;
    lengths_[end_] = m->pkt_len;
    from_[end_++] = from;
  }
  /// Offers all to the device. @param tx  as Driver's: takes packets from the front, says how many.
  template <class Tx>
  std::uint16_t send(std::uint64_t now, Tx&& tx) noexcept;
  /// Gives what is left of the packets the time `now`. They have waited for the device.
  void restamp(std::uint64_t now) noexcept;
  void discard() noexcept;

private:
  rte_mempool& pool_;
  std::array<rte_mbuf*, kRoom> packets_{}, fresh_{};
  std::array<std::uint32_t, kRoom> lengths_{};  ///< of packets that are the device's already
  std::array<Source*, kRoom> from_{};
  std::uint16_t first_ = 0, end_ = 0, fresh_count_ = 0;
};

/// Where a port's packets come from.
class Source {
public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;
  /// Pushes what is due, `most` packets at most.
  virtual void fill(std::uint64_t now, std::uint16_t most, Outbox& out) noexcept = 0;
  /// A packet of this source has gone.
  virtual void sent(std::uint32_t bytes, std::uint64_t now) noexcept = 0;
  virtual void restamp(rte_mbuf& m, std::uint64_t now) noexcept = 0;
  /// Nothing will come any more.
  [[nodiscard]] virtual bool done(std::uint64_t now) const noexcept = 0;
};

template <class Tx>
std::uint16_t Outbox::send(std::uint64_t now, Tx&& tx) noexcept {
  if (empty()) return 0;
  const std::uint16_t taken =
      tx(packets_.data() + first_, static_cast<std::uint16_t>(end_ - first_));
  for (std::uint16_t i = first_; i < first_ + taken; ++i) from_[i]->sent(lengths_[i], now);
  first_ = static_cast<std::uint16_t>(first_ + taken);
  if (first_ == end_) first_ = end_ = 0;
  return taken;
}

/// When a source sends and how much.
struct Schedule {
  std::uint64_t start = 0, stop = 0;  ///< cycles
  std::uint64_t packets = 0;          ///< at most
};

/// One worker's share of a stream.
class FlowSource final : public Source {
public:
  /// @param plan  its rate in packets or bits a second, of this share, or Max.
  FlowSource(const StreamPlan& plan, FrameTemplate frames, std::uint16_t run, std::uint16_t number,
             Flow& flow, const Schedule& schedule, double cycles_per_s, std::uint64_t seed);
  void fill(std::uint64_t now, std::uint16_t most, Outbox& out) noexcept override;
  void sent(std::uint32_t bytes, std::uint64_t now) noexcept override {
    flow_.note_sent(bytes, now);
  }
  void restamp(rte_mbuf& m, std::uint64_t now) noexcept override;
  [[nodiscard]] bool done(std::uint64_t now) const noexcept override {
    return made_ == schedule_.packets || now >= schedule_.stop;
  }

private:
  FrameTemplate frames_;
  SizeCursor sizes_;
  Pacer pacer_;
  Flow& flow_;
  Schedule schedule_;
  bool counts_bits_;
  std::uint16_t run_, number_;
  std::uint64_t made_ = 0;
};
}  // namespace gen
