// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "apps/polluxd/api.hh"
#include "apps/polluxd/configuration.hh"
#include "apps/polluxd/driver_registry.hh"
#include "apps/polluxd/eal.hh"
#include "apps/polluxd/manager.hh"
#include "apps/polluxd/options.hh"
#include "apps/polluxd/worker_loop.hh"
#include "core/control_server.hh"
#include "core/packet_pool.hh"

namespace polluxd {
/// polluxd from start to end: brings up the EAL, the workers, the interfaces and the control socket
/// in that order, runs the management loop, and takes all down in the opposite one.
class Daemon {
public:
  Daemon(Options options, ConfigFile file);
  ~Daemon();  ///< takes down whatever has been brought up
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// @return when the first interfaces are up and requests are taken, or why that cannot be.
  core::Expected<> start();
  /// The management loop; returns after SIGTERM or SIGINT.
  void run();

private:
  struct WorkerStart {
    Shard* shard;
    const WorkerEnv* env;
  };
  core::Expected<> bring_up_eal();
  core::Expected<> make_pools();
  core::Expected<core::PacketPool> make_pool(int node) const;
  rte_mempool* pool_near(int node);
  core::Expected<> make_manager();
  core::Expected<> start_workers();
  core::Expected<> apply_config();
  core::Expected<> listen();
  core::Expected<> serve();
  core::Expected<> become_owner();
  [[nodiscard]] std::string socket_path() const;

  Options options_;
  ProcessConfig config_;
  ConfigFile file_;  ///< until it is applied
  std::vector<unsigned> cpus_;
  EalState eal_;
  bool eal_up_ = false;
  int signals_ = -1;                       ///< signalfd of SIGTERM and SIGINT
  std::map<int, core::PacketPool> pools_;  ///< by NUMA node
  std::unique_ptr<core::Clock> clock_;
  std::unique_ptr<core::Rcu> rcu_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<Shard*> shard_list_;  ///< the manager keeps a span of it
  std::unique_ptr<DriverRegistry> drivers_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<Configuration> configuration_;
  std::unique_ptr<WorkerEnv> worker_env_;
  std::vector<WorkerStart> worker_starts_;
  std::atomic<bool> stop_workers_{false};
  std::unique_ptr<Api> api_;
  std::unique_ptr<core::ControlServer> server_;
};
}  // namespace polluxd
