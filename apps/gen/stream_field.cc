// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/stream_field.hh"

#include "proto/wire/ip4_address.hh"
#include "proto/wire/ip_address.hh"

namespace gen {
using polluxd::ConfigTable;
using polluxd::ConfigValue;
using polluxd::fail_at;

namespace {
Wide number_of(const core::IpAddress& a) noexcept {
  if (a.is_ip4()) return a.ip4();
  Wide v = 0;
  for (const std::uint8_t byte : a.bytes()) v = v << 8 | byte;
  return v;
}

std::string_view expectation(FieldKind kind) noexcept {
  switch (kind) {
    case FieldKind::Mac: return "an address like 02:00:00:00:00:01";
    case FieldKind::Ip4: return "an IPv4 address like 192.0.2.1";
    case FieldKind::Ip6: return "an IPv6 address like 2001:db8::1";
    case FieldKind::Number: break;
  }
  return "a number";
}

Wide read_value(const ConfigValue& v, const FieldLimits& limits) {
  if (limits.kind == FieldKind::Number)
    return v.number(static_cast<std::uint32_t>(limits.min), static_cast<std::uint32_t>(limits.max));
  const std::string text = v.text();
  if (limits.kind == FieldKind::Mac) {
    if (const auto mac = proto::parse_mac(text)) {
      Wide n = 0;
      for (const std::uint8_t byte : *mac) n = n << 8 | byte;
      return n;
    }
  } else if (const auto a = proto::parse_ip(text);
             a && a->is_ip4() == (limits.kind == FieldKind::Ip4)) {
    return number_of(*a);
  }
  fail_at(v.value, fmt::format("{}: \"{}\", expected {}", v.name, text, expectation(limits.kind)));
}

void read_prefix(const ConfigValue& v, const FieldLimits& limits, FieldPlan& to) {
  const auto prefix = proto::parse_ip_prefix(v.text());
  if (!prefix || prefix->is_ip4() != (limits.kind == FieldKind::Ip4))
    fail_at(v.value, fmt::format("prefix \"{}\", expected {} with a length", v.text(),
                                 expectation(limits.kind)));
  const unsigned host_bits = prefix->address.bits() - prefix->length;
  to.min = number_of(prefix->network().address);
  to.max = to.min | (host_bits == 128 ? ~Wide{0} : (Wide{1} << host_bits) - 1);
}
}  // namespace

FieldPlan read_field(const ConfigValue& value, const FieldLimits& limits) {
  if (!value.value.is_table()) return FieldPlan::fixed(read_value(value, limits));
  ConfigTable table{nullptr, value.value, value.name};
  FieldPlan plan{.kind = FieldPlan::Kind::Stepped};
  const bool addresses = limits.kind == FieldKind::Ip4 || limits.kind == FieldKind::Ip6;
  const auto prefix = addresses ? table.find("prefix") : std::nullopt;
  if (prefix) {
    read_prefix(*prefix, limits, plan);
  } else {
    const ConfigValue max = table.need("max");
    plan.min = read_value(table.need("min"), limits);
    plan.max = read_value(max, limits);
    if (plan.max < plan.min) fail_at(max.value, "max is below min, expected min to max");
  }
  std::uint32_t step = 1;
  table.number("step", step, 1, 0x7fffffff);
  plan.step = step;
  bool random = false;
  table.boolean("random", random);
  if (random) plan.kind = FieldPlan::Kind::Random;
  table.done();
  return plan;
}

bool is_ip6_field(const ConfigValue& value) {
  const auto is_ip6 = [](const ConfigValue& v) { return v.text().find(':') != std::string::npos; };
  if (!value.value.is_table()) return is_ip6(value);
  ConfigTable table{nullptr, value.value, value.name};
  if (const auto prefix = table.find("prefix")) return is_ip6(*prefix);
  return is_ip6(table.need("min"));
}
}  // namespace gen
