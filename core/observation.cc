// SPDX-License-Identifier: BSD-3-Clause
#include "core/observation.hh"

#include "core/worker.hh"

namespace core {
void observe_stage(Worker& /*w*/, Stage /*s*/, std::span<rte_mbuf* const> /*packets*/) noexcept {}
void observe_drop(Worker& /*w*/, rte_mbuf* /*m*/, DropReason /*why*/) noexcept {}
}  // namespace core
