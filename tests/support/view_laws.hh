// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gtest/gtest.h>

#include <optional>

#include "core/drop_reason.hh"
#include "tests/support/packet.hh"

namespace test {
/// Why View::parse refuses `bytes`, or nothing. Parses a copy of exactly that size on the heap, so
/// that AddressSanitizer sees a read past the end.
template <class View>
[[nodiscard]] std::optional<core::DropReason> refusal(PacketBytes bytes) {
  const Packet exact{bytes.begin(), bytes.end()};
  const auto view = View::parse(exact);
  if (view) return std::nullopt;
  return view.error();
}

/// Every true prefix of a good packet is refused, with the reason that `expected(length)` names.
template <class View, class F>
void expect_each_truncation_refused(PacketBytes good, F&& expected) {
  ASSERT_EQ(refusal<View>(good), std::nullopt);
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_EQ(refusal<View>(good.first(length)), std::optional{expected(length)}) << length;
}
}  // namespace test

namespace core {
/// For failure messages.
inline void PrintTo(DropReason r, std::ostream* os) {
  *os << info(r).name;
}
}  // namespace core
