// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <vector>

#include "proto/wire/esp.hh"
#include "proto/wire/ip4.hh"
#include "tests/fuzz/fuzz.hh"

namespace {
void packet(fuzz::Input in) {
  const auto esp = proto::EspView::parse(in);
  if (!esp) {
    fuzz::use(core::info(esp.error()).text);
    return;
  }
  for (const fuzz::Input part : {esp->aad(), esp->iv(), esp->ciphertext(), esp->icv()})
    fuzz::require_within(part, in);
  fuzz::require(
      esp->aad().size() + esp->iv().size() + esp->ciphertext().size() + esp->icv().size() ==
          in.size(),
      "the parts are the packet");
  std::array<std::uint8_t, 8> again{};
  proto::emit(proto::EspFields{esp->spi(), esp->sequence()}, again);
  fuzz::require(proto::load_be64(again, 0) == proto::load_be64(in, 0),
                "emit writes what parse has read");
}

/// The input as what a peer that holds the key may have encrypted.
void plaintext(fuzz::Input in) {
  const auto trailer = proto::EspTrailerView::parse(in);
  if (!trailer) {
    fuzz::use(core::info(trailer.error()).text);
    return;
  }
  const fuzz::Input payload = trailer->payload();
  fuzz::require_within(payload, in);
  if (const auto inner = proto::Ip4View::parse(payload)) fuzz::touch(inner->payload());
  std::vector<std::uint8_t> again{in.begin(), in.end()};
  proto::emit_esp_trailer(std::span{again}.subspan(payload.size()), trailer->next_header());
  fuzz::require(again == std::vector<std::uint8_t>{in.begin(), in.end()},
                "the trailer is the only one of its length");
  fuzz::require((payload.size() + proto::esp_padding(payload.size()) + 2) % 4 == 0,
                "the padding aligns");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  packet({data, size});
  plaintext({data, size});
  return 0;
}
