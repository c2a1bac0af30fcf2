// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <string_view>

#include "apps/gen/plan.hh"
#include "core/error.hh"

/// Numbers with units, as people write them. Refusals are Invalid and read "\"TEXT\" is not ...,
/// expected ...".
namespace gen {
/// "max", "50%", "2 Mpps", "100 kpps", "1.5 Gbit/s", "800Mbit/s"; pps and bit/s take the prefixes
/// k, M and G (powers of 1000). Bits are of the wire: frames, preamble and gap.
[[nodiscard]] core::Expected<RatePlan> parse_rate(std::string_view text);
/// Bit/s alone, as line rates are given: "10 Gbit/s".
[[nodiscard]] core::Expected<double> parse_line_rate(std::string_view text);
/// "0.5%" -> 0.005; from 0, below 100 %.
[[nodiscard]] core::Expected<double> parse_ratio(std::string_view text);

/// "12.3 M", three digits and a prefix.
[[nodiscard]] std::string with_prefix(double value);
/// Nanoseconds as "850 ns", "12.3 us", "4.56 ms", "1.20 s".
[[nodiscard]] std::string time_text(double ns);
}  // namespace gen
