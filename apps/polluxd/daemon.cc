// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/daemon.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <poll.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/inet6.hh"
#include "core/log.hh"

namespace polluxd {
namespace {
using core::Done;
using core::Errc;
using core::Error;

/// How long the management loop sleeps at most, which delays an ARP request after its packet: short
/// while workers report something, longer so that an idle daemon leaves the CPU alone.
constexpr int kBusyTick_ms = 1, kIdleTick_ms = 5;
constexpr int kQuietTicks = 100;  ///< without a report, until it counts as idle

/// MiB that pools and tables take, with a margin for what drivers allocate beside them: AF_XDP has
/// a packet pool for each port.
std::uint32_t memory_mib(const Limits& l, std::size_t ports, std::size_t nodes) {
  constexpr std::uint64_t kFirstLevel = std::uint64_t{1} << 25;  // 2^24 entries of two bytes
  constexpr std::uint64_t kGroup = 512;
  constexpr std::uint64_t kPrefix = 448;  // two nodes of rte_rib, each with its pool's overhead
  constexpr std::uint64_t kMargin = std::uint64_t{24} << 20, kPort = std::uint64_t{12} << 20;
  const std::uint64_t width = l.next_hops > proto::kMaxNextHopsIn2Bytes ? 2 : 1;
  const auto table = [](std::uint64_t entry_bytes, std::uint64_t routes, std::uint64_t groups) {
    return entry_bytes / 2 * (kFirstLevel + groups * kGroup) + routes * kPrefix;
  };
  std::uint64_t bytes =
      nodes * core::packet_pool_bytes(l.mbufs, static_cast<std::uint16_t>(l.mbuf_size)) +
      table(2 * width, l.routes, l.route_groups) + kMargin + ports * kPort;
  if constexpr (core::kInet6)
    bytes += table(proto::Fib6::entry_bytes({l.routes6, l.route_groups6, l.next_hops}), l.routes6,
                   l.route_groups6);
  return static_cast<std::uint32_t>((bytes >> 20) + 1);
}

/// How many NUMA nodes the workers' CPUs are on.
std::size_t count_nodes(const std::vector<unsigned>& cpus) {
  std::set<std::string> nodes;
  for (const unsigned cpu : cpus)
    for (std::error_code none; const auto& entry : std::filesystem::directory_iterator(
                                   fmt::format("/sys/devices/system/cpu/cpu{}", cpu), none))
      if (const std::string name = entry.path().filename();
          name.starts_with("node") && name.size() > 4 && std::isdigit(name[4]) != 0)
        nodes.insert(name);
  return std::max<std::size_t>(nodes.size(), 1);
}

/// SIGTERM and SIGINT as something to poll; blocked in every thread that starts after.
core::Expected<int> catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return Error{Errc::Full, fmt::format("signalfd: {}", std::strerror(errno))};
  return fd;
}

Error in(const char* what, const Error& e) {
  return {e.code, fmt::format("{}: {}", what, e.context)};
}
}  // namespace

Daemon::Daemon(Options options, ConfigFile file)
    : options_{std::move(options)}, config_{file.config}, file_{std::move(file)} {
  if (options_.workers) config_.workers = *options_.workers;
}

core::Expected<> Daemon::start() {
  const auto signals = catch_signals();
  if (!signals) return signals.error();
  signals_ = *signals;
  using Step = core::Expected<> (Daemon::*)();
  // The socket first: a second daemon of the same instance must not touch a device of the first.
  // Who connects meanwhile is answered by run().
  constexpr std::array<Step, 8> kSteps{
      &Daemon::listen,        &Daemon::bring_up_eal, &Daemon::make_pools, &Daemon::make_manager,
      &Daemon::start_workers, &Daemon::apply_config, &Daemon::serve,      &Daemon::become_owner};
  for (const Step step : kSteps)
    if (auto done = (this->*step)(); !done) return done;
  return Done{};
}

core::Expected<> Daemon::bring_up_eal() {
  cpus_ = choose_cpus(config_.workers, config_.cpus);
  std::vector<std::string> extra = config_.eal_args;
  extra.insert(extra.end(), options_.eal.begin(), options_.eal.end());
  auto eal = eal_init({.instance = options_.instance,
                       .worker_cpus = cpus_,
                       .memory_mib = memory_mib(
                           config_.limits, file_.config.interfaces.size() + options_.devices.size(),
                           count_nodes(cpus_)),
                       .extra = std::move(extra)});
  if (!eal) return eal.error();
  eal_ = *std::move(eal);
  eal_up_ = true;
  core::log::info("{}", eal_.memory);
  core::log::info("{} worker{} on CPU {}", config_.workers, config_.workers == 1 ? "" : "s",
                  fmt::join(cpus_, ", "));
  return Done{};
}

/// A pool for each NUMA node that has a worker. Ports on further nodes get theirs when they come.
core::Expected<> Daemon::make_pools() {
  for (const unsigned lcore : eal_.lcores) {
    const int node = static_cast<int>(rte_lcore_to_socket_id(lcore));
    if (!pools_.empty()) {
      (void)pool_near(node);
      continue;
    }
    auto pool = make_pool(node);
    if (!pool) return pool.error();
    pools_[node] = *std::move(pool);
  }
  return Done{};
}

core::Expected<core::PacketPool> Daemon::make_pool(int node) const {
  // The cache of a core takes buffers out of the shared ring in bursts; half again as many may sit
  // in each, so that it must stay small beside the pool.
  const std::uint32_t cache = std::min(256U, config_.limits.mbufs / (2 * (config_.workers + 1)));
  return core::create_packet_pool(fmt::format("pollux{}", node), config_.limits.mbufs, cache,
                                  static_cast<std::uint16_t>(config_.limits.mbuf_size), node);
}

/// The pool of a node; where it can have none, another node's: slower, but right.
rte_mempool* Daemon::pool_near(int node) {
  if (node < 0) return pools_.begin()->second.get();
  if (const auto at = pools_.find(node); at != pools_.end()) return at->second.get();
  auto pool = make_pool(node);
  if (!pool) {
    core::log::warning("NUMA node {}: {}; another node's packet buffers are used", node,
                       pool.error().context);
    return pools_.begin()->second.get();
  }
  return (pools_[node] = *std::move(pool)).get();
}

core::Expected<> Daemon::make_manager() {
  clock_ = std::make_unique<core::Clock>();
  rcu_ = std::make_unique<core::Rcu>(config_.workers);
  const Shard::Limits limits{.interfaces = config_.limits.interfaces,
                             .next_hops = config_.limits.next_hops,
                             .sas = config_.limits.sas};
  for (std::uint32_t n = 0; n < config_.workers; ++n) {
    const int node = static_cast<int>(rte_lcore_to_socket_id(eal_.lcores[n]));
    shards_.push_back(
        std::make_unique<Shard>(static_cast<std::uint16_t>(n), limits, pool_near(node)));
    shard_list_.push_back(shards_.back().get());
  }
  drivers_ = std::make_unique<DriverRegistry>(config_.driver_path);
  try {
    manager_ = std::make_unique<Manager>(
        config_.limits,
        Manager::Env{.rcu = *rcu_,
                     .shards = shard_list_,
                     .cpus = cpus_,
                     .pool = pools_.begin()->second.get(),
                     .fib_name = "pollux",
                     .pool_near = [this](int node) { return pool_near(node); },
                     .pools =
                         [this] {
                           std::vector<const rte_mempool*> all;
                           for (const auto& [node, pool] : pools_) all.push_back(pool.get());
                           return all;
                         }},
        *drivers_);
  } catch (const std::runtime_error& e) { return Error{Errc::Full, e.what()}; }
  return Done{};
}

core::Expected<> Daemon::start_workers() {
  worker_env_ = std::make_unique<WorkerEnv>(WorkerEnv{.published = manager_->published(),
                                                      .rcu = *rcu_,
                                                      .clock = *clock_,
                                                      .stop = stop_workers_,
                                                      .idle_sleep_us = config_.idle_sleep_us});
  for (const auto& shard : shards_) worker_starts_.push_back({shard.get(), worker_env_.get()});
  for (std::size_t n = 0; n < shards_.size(); ++n) {
    const auto life = [](void* start) {
      auto* w = static_cast<WorkerStart*>(start);
      run_worker(*w->shard, *w->env);
      return 0;
    };
    if (const int rc = rte_eal_remote_launch(life, &worker_starts_[n], eal_.lcores[n]); rc != 0)
      return Error{Errc::DeviceFailed, fmt::format("worker {}: {}", n, rte_strerror(-rc))};
  }
  return Done{};
}

/// The configuration file and what the command line adds, the way a later file is applied.
core::Expected<> Daemon::apply_config() {
  CommandLine line{.devices = {}, .forward = options_.forward, .workers = options_.workers};
  for (const std::string& text : options_.devices) {
    const auto device = drivers_->parse_device(text);
    if (!device) return in(fmt::format("-d {}", text).c_str(), device.error());
    InterfaceSpec& spec = line.devices.emplace_back();
    spec.driver = device->driver;
    spec.options = device->options;
    spec.name = device->name;
  }
  configuration_ = std::make_unique<Configuration>(*manager_, *drivers_, config_, std::move(line));
  manager_->poll(clock_->now_us());
  configuration_->poll(clock_->now_us());
  const auto done = configuration_->apply(std::exchange(file_, {}), std::nullopt);
  if (!done) return done.error();
  for (const InterfaceInfo& i : manager_->interfaces())
    core::log::info("{}: {} interface", i.name, i.driver);
  return Done{};
}

std::string Daemon::socket_path() const {
  return fmt::format("{}/{}.sock", config_.socket_directory, options_.instance);
}

core::Expected<> Daemon::listen() {
  core::ControlServer::Options options;
  options.path = socket_path();
  options.max_request = std::size_t{4} << 20;  // a configuration file with thousands of tunnels
  auto server = core::ControlServer::listen(
      std::move(options), [this](core::ControlServer::Token token, std::string& line,
                                 bool oversized) { api_->request(token, line, oversized); });
  if (!server && server.error().code == Errc::Exists)
    return in(fmt::format("instance {} is running already", options_.instance).c_str(),
              server.error());
  if (!server) return server.error();
  server_ = *std::move(server);
  return Done{};
}

core::Expected<> Daemon::serve() {
  api_ = std::make_unique<Api>(*manager_);
  api_->configure(*configuration_);
  api_->serve(server_.get());
  return Done{};
}

/// Devices and sockets are open: what is left needs no privilege. The socket's folder goes along,
/// so that the socket can be removed at the end.
core::Expected<> Daemon::become_owner() {
  if (!options_.owner) return Done{};
  const auto [user, group] = *options_.owner;
  for (const std::string& path : {config_.socket_directory, socket_path()})
    if (chown(path.c_str(), user, group) != 0)
      return Error{Errc::Invalid, fmt::format("-U: owner of {}: {}", path, std::strerror(errno))};
  if (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(user) != 0)
    return Error{Errc::Invalid, fmt::format("-U: {}", std::strerror(errno))};
  return Done{};
}

void Daemon::run() {
  for (int quiet = 0;;) {
    std::array<pollfd, 2> fds{{{.fd = signals_, .events = POLLIN, .revents = 0},
                               {.fd = server_->descriptor(), .events = POLLIN, .revents = 0}}};
    ::poll(fds.data(), fds.size(), quiet < kQuietTicks ? kBusyTick_ms : kIdleTick_ms);
    configuration_->poll(clock_->now_us());
    quiet = manager_->poll(clock_->now_us()) ? 0 : std::min(quiet + 1, kQuietTicks);
    if (fds[1].revents != 0) server_->poll();
    if (fds[0].revents != 0) break;
  }
  core::log::info("ending");
}

Daemon::~Daemon() {
  stop_workers_.store(true, std::memory_order_relaxed);
  if (eal_up_) rte_eal_mp_wait_lcore();
  if (manager_ != nullptr) manager_->shutdown();
  server_.reset();
  api_.reset();
  configuration_.reset();
  manager_.reset();
  shards_.clear();
  rcu_.reset();
  pools_.clear();
  if (eal_up_) eal_cleanup(options_.instance);
  if (signals_ >= 0) close(signals_);
}
}  // namespace polluxd
