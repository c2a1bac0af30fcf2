// SPDX-License-Identifier: BSD-3-Clause
#include <vector>

#include "proto/wire/ip4.hh"
#include "tests/fuzz/fuzz.hh"

namespace {
void use_accessors(const proto::Ip4View& ip) {
  fuzz::use(ip.tos());
  fuzz::use(ip.id());
  fuzz::use(ip.dont_fragment());
  fuzz::use(ip.ttl());
  fuzz::use(ip.protocol());
  fuzz::use(ip.checksum());
  fuzz::use(ip.src());
  fuzz::use(ip.dst());
  fuzz::require(ip.is_fragment() == (ip.more_fragments() || ip.fragment_offset() != 0),
                "a fragment has an offset or more to come");
}

/// A header that was right stays right, whatever the packet path rewrites in it.
void rewrite(const proto::Ip4View& ip) {
  if (!ip.verify_checksum()) return;
  std::vector<std::uint8_t> header{ip.header().begin(), ip.header().end()};
  const auto holds = [&] { return proto::internet_checksum(header) == 0; };
  if (ip.ttl() > 0) {
    proto::decrement_ttl(header);
    fuzz::require(holds(), "decrement_ttl keeps the checksum");
    fuzz::require(header[8] == ip.ttl() - 1, "decrement_ttl takes one");
  }
  if (ip.src() == 0) {
    proto::set_source(header, ip.dst());
    fuzz::require(holds(), "set_source keeps the checksum");
  }
}

/// What a sender without options would write for these fields parses to the same fields.
void emit_again(const proto::Ip4View& ip) {
  if (!ip.options().empty() || ip.is_fragment()) return;
  std::vector<std::uint8_t> packet(ip.total_length());
  proto::emit(proto::Ip4Fields{.tos = ip.tos(),
                               .id = ip.id(),
                               .dont_fragment = ip.dont_fragment(),
                               .ttl = ip.ttl(),
                               .protocol = ip.protocol(),
                               .src = ip.src(),
                               .dst = ip.dst()},
              packet);
  const auto again = proto::Ip4View::parse(packet);
  fuzz::require(again && again->verify_checksum(), "what emit writes is a packet");
  fuzz::require(again->src() == ip.src() && again->dst() == ip.dst() &&
                    again->protocol() == ip.protocol() && again->id() == ip.id(),
                "emit writes what parse has read");
}

/// The beginning of a packet, wherever it is cut, says of the whole what all of it says.
void see_less(const proto::Ip4View& ip, fuzz::Input in) {
  const std::size_t cut = in.back() % (in.size() + 1);
  const std::vector<std::uint8_t> front{in.begin(), in.begin() + static_cast<std::ptrdiff_t>(cut)};
  const auto seen = proto::Ip4View::parse(front, in.size());
  fuzz::require(static_cast<bool>(seen) == (cut >= ip.header_len()), "a whole header is enough");
  if (!seen) return;
  use_accessors(*seen);
  fuzz::require_within(seen->payload(), front);
  fuzz::require(seen->total_length() == ip.total_length(), "Total Length is the packet's");
  fuzz::require(seen->payload_length() == ip.payload().size(), "so is the payload's");
  fuzz::require(seen->payload().size() <= ip.payload().size(), "what is seen is a part");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input in{data, size};
  const auto ip = proto::Ip4View::parse(in);
  if (!ip) {
    fuzz::use(core::info(ip.error()).text);
    return 0;
  }
  use_accessors(*ip);
  fuzz::require_within(ip->header(), in);
  fuzz::require_within(ip->options(), in);
  fuzz::require_within(ip->payload(), in);
  fuzz::require(ip->header().size() + ip->payload().size() == ip->total_length(),
                "header and payload are the packet");
  fuzz::require(ip->options().size() + 20 == ip->header_len(), "options end the header");
  see_less(*ip, in);
  rewrite(*ip);
  emit_again(*ip);
  return 0;
}
