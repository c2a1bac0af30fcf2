// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/result.hh"

#include <algorithm>

namespace gen {
void StreamResult::add(const StreamResult& o) {
  const auto mine = static_cast<double>(received), others = static_cast<double>(o.received);
  if (mine + others > 0) jitter_ns = (jitter_ns * mine + o.jitter_ns * others) / (mine + others);
  sent += o.sent;
  sent_bytes += o.sent_bytes;
  received += o.received;
  received_bytes += o.received_bytes;
  highest += o.highest;
  duplicates += o.duplicates;
  reordered += o.reordered;
  too_late += o.too_late;
  corrupt += o.corrupt;
  misdelivered += o.misdelivered;
  max_extent = std::max(max_extent, o.max_extent);
  extent_sum += o.extent_sum;
  delay.add(o.delay);
  ipdv_sum_ns += o.ipdv_sum_ns;
  ipdv_count += o.ipdv_count;
  send_s = std::max(send_s, o.send_s);
  receive_s = std::max(receive_s, o.receive_s);
}

StreamResult RunResult::total() const {
  StreamResult all;
  all.name = "all";
  for (const StreamResult& s : streams) all.add(s);
  return all;
}
}  // namespace gen
