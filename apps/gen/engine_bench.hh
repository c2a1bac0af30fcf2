// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "apps/gen/engine.hh"
#include "apps/gen/rfc2544.hh"

namespace gen {
/// Trials over real ports: the streams of the plan, whose own rates and sizes are left out. Streams
/// that leave by the same port have its line in equal parts.
class EngineBench final : public TrialBench {
public:
  /// @param settle_s  as RunRequest has it.
  EngineBench(Engine& engine, double settle_s) : engine_{engine}, settle_s_{settle_s} {}
  core::Expected<StreamResult> run(const TrialRequest& request) override;
  [[nodiscard]] double line_pps(std::uint16_t size) const override;

  /// Sends a few packets of each stream, which are not counted: devices learn addresses from them
  /// (RFC 2544 section 23).
  core::Expected<> learn();

private:
  [[nodiscard]] std::size_t sharers(std::size_t port) const;

  Engine& engine_;
  double settle_s_;
  double measured_pps_ = 0;  ///< of the last trial that was flat out, where no line rate is known
};
}  // namespace gen
