// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/gen/neighbor.hh"
#include "apps/gen/plan.hh"
#include "apps/gen/result.hh"
#include "apps/gen/worker.hh"
#include "apps/polluxd/driver_registry.hh"
#include "apps/polluxd/eal.hh"
#include "core/error.hh"
#include "core/packet_pool.hh"

namespace gen {
struct EngineOptions {
  unsigned workers = 1;
  std::vector<unsigned> cpus;       ///< of the workers; none: chosen
  std::vector<std::string> eal;     ///< more arguments for DPDK
  double line_rate = 0;             ///< bit/s of every link; 0: as the devices say
  double wait_s = 30;               ///< for links and gateways
  std::uint16_t largest_frame = 0;  ///< bytes, beside those of streams
};

/// Frames of a capture file, to be sent as they are.
struct Recording {
  struct Frame {
    std::vector<std::uint8_t> bytes;
    std::uint64_t at_ns = 0;  ///< since the first one
  };
  std::vector<Frame> frames;
};

/// One run: what is sent, and for how long.
struct RunRequest {
  std::vector<StreamPlan> streams{};
  const Recording* replay = nullptr;  ///< sent from `replay_port` beside the streams, or none
  std::size_t replay_port = 0;
  RatePlan replay_rate{};        ///< Max: as the recording's own times say
  bool replay_flat_out = false;  ///< as fast as possible
  std::uint64_t replay_loops = 1;
  double duration_s = 10;
  /// How long to wait for packets that are still missing once all are sent (RFC 2544 section 23).
  double settle_s = 2;
  /// Called each second with what there is so far; none: quiet.
  std::function<void(const RunResult&)> each_second{};
};

/// Ports, workers and the runs that they make. Management thread.
class Engine {
public:
  /// Brings DPDK up and opens the devices.
  /// @return the engine | what DPDK, a driver or a device said.
  static core::Expected<std::unique_ptr<Engine>> open(const Plan& plan,
                                                      const EngineOptions& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// Waits for the links and asks for the gateways. @return Timeout, with what is missing.
  core::Expected<> prepare();
  /// Sends, receives, waits for the rest. @return Invalid: a rate in percent of a link whose speed
  /// is not known.
  core::Expected<RunResult> run(const RunRequest& request);
  /// Ends a run that is under way, and all that follow. Signal handlers may call it.
  void interrupt() noexcept { interrupted_.store(true); }
  [[nodiscard]] bool interrupted() const noexcept { return interrupted_.load(); }
  /// Bit/s that the link of a port carries; 0: not known.
  [[nodiscard]] double line_rate(std::size_t port) const;
  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }

private:
  struct Port {
    polluxd::OpenPort open;
    std::unique_ptr<NeighborSpeaker> speaker;
    core::MacAddress mac{};
  };
  struct Run;  ///< of one call of run()

  Engine(const Plan& plan, const EngineOptions& options);
  core::Expected<> open_all();
  core::Expected<> open_port(const PortPlan& plan);
  [[nodiscard]] std::uint16_t buffer_size() const noexcept;
  core::Expected<> wait_for_links();
  core::Expected<> wait_for_gateways();
  void serve_ports();
  [[nodiscard]] std::string missing_gateways() const;
  [[nodiscard]] core::MacAddress destination(const StreamPlan& stream) const;
  core::Expected<RatePlan> rate_of(const StreamPlan& stream, std::size_t shares) const;
  void make_workers(Run& run) const;
  core::Expected<> add_streams(Run& run, const RunRequest& request);
  void add_replay(Run& run, const RunRequest& request) const;
  void supervise(Run& run, const RunRequest& request);
  [[nodiscard]] RunResult collect(const Run& run) const;
  [[nodiscard]] std::size_t senders(std::size_t port) const noexcept;
  [[nodiscard]] double seconds(std::uint64_t cycles) const noexcept {
    return static_cast<double>(cycles) / hz_;
  }

  Plan plan_;
  EngineOptions options_;
  polluxd::DriverRegistry drivers_;
  polluxd::EalState eal_;
  bool eal_up_ = false;
  core::PacketPool pool_;
  std::vector<Port> ports_;
  double hz_ = 1;
  std::uint16_t run_number_ = 0;
  std::atomic<bool> interrupted_{false};
};
}  // namespace gen
