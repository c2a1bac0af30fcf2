// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/source.hh"

#include <algorithm>
#include <utility>

#include "core/mbuf.hh"

namespace gen {
rte_mbuf* Outbox::take(std::uint16_t length) noexcept {
  if (fresh_count_ == 0) {
    if (rte_pktmbuf_alloc_bulk(&pool_, fresh_.data(), kRoom) != 0) return nullptr;
    fresh_count_ = kRoom;
  }
  rte_mbuf* m = fresh_[--fresh_count_];
  core::grow_back(*m, length);
  return m;
}

void Outbox::restamp(std::uint64_t now) noexcept {
  for (std::uint16_t i = first_; i < end_; ++i) from_[i]->restamp(*packets_[i], now);
}

void Outbox::discard() noexcept {
  for (; first_ < end_; ++first_) rte_pktmbuf_free(packets_[first_]);
  first_ = end_ = 0;
  while (fresh_count_ > 0) rte_pktmbuf_free(fresh_[--fresh_count_]);
}

namespace {
double cycles_per_unit(const RatePlan& rate, double cycles_per_s) noexcept {
  return rate.unit == RatePlan::Unit::Max ? 0 : cycles_per_s / rate.value;
}
}  // namespace

FlowSource::FlowSource(const StreamPlan& plan, FrameTemplate frames, std::uint16_t run,
                       std::uint16_t number, Flow& flow, const Schedule& schedule,
                       double cycles_per_s, std::uint64_t seed)
    : frames_{std::move(frames)},
      sizes_{plan.size, seed},
      pacer_{cycles_per_unit(plan.rate, cycles_per_s), static_cast<double>(plan.burst)},
      flow_{flow},
      schedule_{schedule},
      counts_bits_{plan.rate.unit == RatePlan::Unit::BitsPerS},
      run_{run},
      number_{number} {
  pacer_.start(schedule.start);
}

void FlowSource::fill(std::uint64_t now, std::uint16_t most, Outbox& out) noexcept {
  most = std::min(most, out.room());
  for (; most > 0 && pacer_.is_due(now) && !done(now); --most) {
    // The size is drawn only once there is a packet for it.
    rte_mbuf* m = out.take(0);
    if (m == nullptr) return;
    const std::uint16_t size = sizes_.next();
    core::grow_back(*m, static_cast<std::uint16_t>(size - kFcsLen));
    frames_.write(
        core::front_bytes_mut(*m),
        {.run = run_, .flow = number_, .sequence = static_cast<std::uint32_t>(made_), .time = now});
    out.push(m, this);
    pacer_.take(now, counts_bits_ ? static_cast<double>((size + kGapLen) * 8) : 1.0);
    ++made_;
  }
}

void FlowSource::restamp(rte_mbuf& m, std::uint64_t now) noexcept {
  frames_.restamp(core::front_bytes_mut(m), now);
}
}  // namespace gen
