// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// For stream_file.cc alone: toml.hpp is slow to compile.
#include "apps/gen/field.hh"
#include "apps/polluxd/config_file_table.hh"

namespace gen {
/// How the values of a field are written.
enum class FieldKind : std::uint8_t { Number, Mac, Ip4, Ip6 };
struct FieldLimits {
  Wide min = 0, max = 0;
  FieldKind kind = FieldKind::Number;
};
inline constexpr FieldLimits kVlanField{1, 4094}, kPortField{0, 65535}, kIdField{0, 65535},
    kFlowLabelField{0, 0xfffff}, kMacField{0, (Wide{1} << 48) - 1, FieldKind::Mac},
    kIp4Field{0, 0xffffffff, FieldKind::Ip4}, kIp6Field{0, ~Wide{0}, FieldKind::Ip6};

/// A value: fixed; or a table {min, max, step} or {min, max, random = true}; of addresses also
/// {prefix} in the place of min and max. @throws ConfigError
[[nodiscard]] FieldPlan read_field(const polluxd::ConfigValue& value, const FieldLimits& limits);
/// Whether the addresses of a field are IPv6's. @throws ConfigError: they are none.
[[nodiscard]] bool is_ip6_field(const polluxd::ConfigValue& value);
}  // namespace gen
