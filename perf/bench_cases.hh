// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mempool.h>

#include <functional>
#include <string>
#include <vector>

namespace perf {
/// Cycles per packet of consecutive chunks of packets. A chunk is long enough to hide the cost of
/// reading the counter, short enough that a preempted one is an outlier and not an error of all.
using Samples = std::vector<double>;

/// Something measured: `window()` runs it for a while and returns its samples. Made anew for every
/// round, so that page placement differs between rounds as it does between runs.
struct Case {
  std::string name;
  std::string what;   ///< one line for the table
  std::string floor;  ///< name of the case that does the least that any program must; or empty
  std::string limit;  ///< name of the case that does only the crypto; or empty
  std::function<std::function<Samples()>(rte_mempool* pool)> make;
};

/// The whole pipeline: forwarding and ESP, with the floor and the limit.
std::vector<Case> pipeline_cases();
/// Single stages, each timed inside the real chain.
std::vector<Case> stage_cases();

inline constexpr std::size_t kChunk = 4096;  ///< packets
inline constexpr std::size_t kChunks = 128;  ///< a window
}  // namespace perf
