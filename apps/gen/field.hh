// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>

namespace gen {
/// Wide enough for an IPv6 address.
__extension__ using Wide = unsigned __int128;

/// What a header field holds from packet to packet.
struct FieldPlan {
  enum class Kind : std::uint8_t { Fixed, Stepped, Random };
  Kind kind = Kind::Fixed;
  Wide min = 0, max = 0;  ///< Fixed: both the value
  Wide step = 1;          ///< Stepped: min, min + step, ... not beyond max, and again

  [[nodiscard]] static constexpr FieldPlan fixed(Wide v) noexcept {
    return {.kind = Kind::Fixed, .min = v, .max = v, .step = 1};
  }
};

/// Pseudo-random numbers that are the same for the same seed on every machine (SplitMix64).
class Random {
public:
  explicit constexpr Random(std::uint64_t seed) noexcept : state_{seed} {}
  constexpr std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Below `n`, all alike but for one part in 2^64 / n. @pre n > 0.
  constexpr std::uint64_t below(std::uint64_t n) noexcept {
    return static_cast<std::uint64_t>((Wide{next()} * n) >> 64);
  }

private:
  std::uint64_t state_;
};

/// The values of one field, one after the other.
class FieldCursor {
public:
  constexpr FieldCursor(const FieldPlan& plan, std::uint64_t seed) noexcept
      : plan_{plan}, random_{seed}, next_{plan.min} {}
  constexpr Wide next() noexcept {
    if (plan_.kind == FieldPlan::Kind::Fixed) return plan_.min;
    if (plan_.kind == FieldPlan::Kind::Random) return random_value();
    const Wide value = next_;
    next_ = plan_.max - value < plan_.step ? plan_.min : value + plan_.step;
    return value;
  }

private:
  constexpr Wide random_value() noexcept {
    const Wide count = plan_.max - plan_.min + 1;
    if (count != 0 && count >> 64 == 0)
      return plan_.min + random_.below(static_cast<std::uint64_t>(count));
    const Wide any = Wide{random_.next()} << 64 | random_.next();
    return count == 0 ? any : plan_.min + any % count;
  }
  FieldPlan plan_;
  Random random_;
  Wide next_;
};
}  // namespace gen
