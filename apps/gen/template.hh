// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "apps/gen/field.hh"
#include "apps/gen/plan.hh"
#include "apps/gen/signature.hh"
#include "core/mac_address.hh"
#include "proto/wire/bytes.hh"

namespace gen {
/// The packets of a stream. Headers are written once, here; write() copies them and fills in what
/// differs from packet to packet, with checksums summed up from what was already summed: the cost
/// of a packet does not depend on its size but for the copy. Behind the signature are zeros.
class FrameTemplate {
public:
  /// @param src, dst  used where the plan names no MAC addresses.
  /// @param seed      of the fields that are random.
  FrameTemplate(const StreamPlan& plan, const core::MacAddress& src, const core::MacAddress& dst,
                std::uint64_t seed);

  /// Writes the next packet, its checksums right.
  /// @param frame  whole, without FCS. @pre frame.size() + kFcsLen >= plan.smallest_frame().
  void write(proto::MutBytes frame, const Signature& signature) noexcept;

  /// Gives a packet that write() wrote and that could not be sent yet another time of sending.
  void restamp(proto::MutBytes frame, std::uint64_t time) const noexcept;

  /// Bytes in front of the signature.
  [[nodiscard]] std::size_t headers_length() const noexcept { return headers_.size(); }

private:
  /// A field that differs from packet to packet.
  struct Slot {
    std::size_t at;     ///< offset in the frame
    std::size_t width;  ///< bytes: 2, 4, 6 or 16
    Wide or_with;       ///< bits of other fields in the same bytes
    bool in_ip_sum, in_l4_sum;
    FieldCursor values;
  };
  void add(std::size_t at, std::size_t width, const FieldPlan& field, bool ip_sum, bool l4_sum,
           Wide or_with = 0);
  void write_ether(const StreamPlan& plan, const core::MacAddress& src,
                   const core::MacAddress& dst);
  void write_ip(const StreamPlan& plan);
  void write_l4(const StreamPlan& plan);
  void set_checksum(proto::MutBytes frame, std::uint64_t sum) const noexcept;

  std::vector<std::uint8_t> headers_;
  std::vector<Slot> slots_;
  bool is_ip6_, is_tcp_;
  std::size_t l3_, l4_, checksum_at_;
  std::uint64_t seed_;
  /// Sums of the words that are the same in all packets: without lengths, slots and signature.
  std::uint64_t ip_sum_ = 0, l4_sum_ = 0;
};
}  // namespace gen
