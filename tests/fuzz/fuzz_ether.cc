// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>

#include "proto/wire/ether.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input in{data, size};
  const auto frame = proto::EtherView::parse(in);
  fuzz::require(static_cast<bool>(frame) == (size >= 14), "a frame is 14 bytes or more");
  if (!frame) return 0;
  fuzz::require_within(frame->payload(), in);
  fuzz::require(frame->payload().size() + 14 == size, "the payload is the rest");
  std::array<std::uint8_t, 14> again{};
  proto::emit(proto::EtherFields{frame->dst(), frame->src(), frame->type()}, again);
  fuzz::require(std::equal(again.begin(), again.end(), data), "emit writes what parse has read");
  return 0;
}
