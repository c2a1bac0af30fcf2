// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace core {
/// What is watched of the packets: published by the manager, read by workers at the hooks of
/// worker.hh. Nothing is watched yet.
struct Observation {};
}  // namespace core
