// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/units.hh"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

namespace gen {
using core::Errc;
using core::Error;

namespace {
/// A number at the front and what follows it, blanks left out.
struct Quantity {
  double value = 0;
  std::string unit;
};
std::optional<Quantity> split(std::string_view text) {
  const std::string copy{text};
  if (copy.empty() || copy[0] < '0' || copy[0] > '9') return std::nullopt;
  char* end = nullptr;
  Quantity q{.value = std::strtod(copy.c_str(), &end), .unit = {}};
  while (*end == ' ') ++end;
  q.unit = end;
  if (!std::isfinite(q.value) || copy.find_first_of("xXpP") < copy.size() - q.unit.size())
    return std::nullopt;
  return q;
}

/// Takes a prefix of powers of 1000 off the unit's front.
double take_prefix(std::string& unit) {
  constexpr std::array<std::pair<char, double>, 3> kPrefixes{{{'k', 1e3}, {'M', 1e6}, {'G', 1e9}}};
  for (const auto& [letter, factor] : kPrefixes) {
    if (unit.empty() || unit[0] != letter) continue;
    unit.erase(0, 1);
    return factor;
  }
  return 1;
}
}  // namespace

core::Expected<RatePlan> parse_rate(std::string_view text) {
  const Error refused{
      Errc::Invalid,
      fmt::format("\"{}\" is not a rate, expected \"max\", \"50%\", \"2 Mpps\" or \"1.5 Gbit/s\"",
                  text)};
  if (text == "max") return RatePlan{};
  auto q = split(text);
  if (!q || q->value <= 0) return refused;
  if (q->unit == "%") {
    if (q->value > 100) return refused;
    return RatePlan{.unit = RatePlan::Unit::PercentOfLine, .value = q->value};
  }
  q->value *= take_prefix(q->unit);
  if (q->unit == "pps") return RatePlan{.unit = RatePlan::Unit::PacketsPerS, .value = q->value};
  if (q->unit == "bit/s") return RatePlan{.unit = RatePlan::Unit::BitsPerS, .value = q->value};
  return refused;
}

core::Expected<double> parse_line_rate(std::string_view text) {
  const auto rate = parse_rate(text);
  if (!rate || rate->unit != RatePlan::Unit::BitsPerS)
    return Error{Errc::Invalid, fmt::format("\"{}\" is not the rate of a line, expected \"10 "
                                            "Gbit/s\"",
                                            text)};
  return rate->value;
}

core::Expected<double> parse_ratio(std::string_view text) {
  const auto q = split(text);
  if (!q || q->unit != "%" || q->value >= 100)
    return Error{Errc::Invalid,
                 fmt::format("\"{}\" is not a ratio, expected \"0.5%\", below 100%", text)};
  return q->value / 100;
}

std::string with_prefix(double value) {
  constexpr std::array<std::pair<double, const char*>, 3> kPrefixes{
      {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}}};
  for (const auto& [factor, letter] : kPrefixes)
    if (value >= factor) return fmt::format("{:.4g}{}", value / factor, letter);
  return fmt::format("{:.4g} ", value);
}

std::string time_text(double ns) {
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.4g} us", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.4g} ms", ns / 1e6);
  return fmt::format("{:.4g} s", ns / 1e9);
}
}  // namespace gen
