// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>

#include "proto/wire/arp.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto arp = proto::ArpView::parse({data, size});
  if (!arp) {
    fuzz::use(core::info(arp.error()).text);
    return 0;
  }
  std::array<std::uint8_t, proto::ArpView::kLen> again{};
  proto::emit(proto::ArpFields{arp->operation(), arp->sender_mac(), arp->sender_ip(),
                               arp->target_mac(), arp->target_ip()},
              again);
  fuzz::require(std::equal(again.begin(), again.end(), data), "emit writes what parse has read");
  return 0;
}
