// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/eal.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_config.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "core/interrupt_thread.hh"
#include "core/log.hh"

namespace polluxd {
namespace {
namespace fs = std::filesystem;
using core::Errc;
using core::Error;

/// Where DPDK's log lines go. They come from any thread of DPDK's, so there is a lock.
struct LogSink {
  std::mutex lock;
  bool capturing = false;
  std::string first_error;
  std::string partial;  ///< a line whose end has not come yet
};

LogSink& log_sink() {
  static LogSink sink;
  return sink;
}

core::log::Level level_of(int dpdk) {
  if (dpdk <= static_cast<int>(RTE_LOG_ERR)) return core::log::Level::Error;
  if (dpdk == static_cast<int>(RTE_LOG_WARNING)) return core::log::Level::Warning;
  return dpdk <= static_cast<int>(RTE_LOG_INFO) ? core::log::Level::Info : core::log::Level::Debug;
}

void take_line(LogSink& sink, std::string_view line, int dpdk_level) {
  if (line.empty()) return;
  if (!sink.capturing) {
    core::log::write(level_of(dpdk_level), fmt::format("dpdk: {}", line));
  } else if (sink.first_error.empty() && dpdk_level <= static_cast<int>(RTE_LOG_ERR)) {
    sink.first_error = line;
  }
}

ssize_t write_log(void* /*cookie*/, const char* text, std::size_t n) {
  LogSink& sink = log_sink();
  const std::scoped_lock hold{sink.lock};
  sink.partial.append(text, n);
  std::size_t end = 0;
  while ((end = sink.partial.find('\n')) != std::string::npos) {
    take_line(sink, std::string_view{sink.partial}.substr(0, end), rte_log_cur_msg_loglevel());
    sink.partial.erase(0, end + 1);
  }
  return static_cast<ssize_t>(n);
}

/// Takes over DPDK's log, for the life of the process.
void redirect_log() {
  cookie_io_functions_t functions{};
  functions.write = write_log;
  if (FILE* stream = fopencookie(nullptr, "w", functions)) (void)rte_openlog_stream(stream);
}

std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

std::uint64_t read_number(const fs::path& file) {
  std::uint64_t n = 0;
  std::ifstream{file} >> n;
  return n;
}

/// MiB of free hugepages, all sizes and NUMA nodes.
std::uint64_t free_hugepage_mib() {
  constexpr std::string_view kPrefix = "hugepages-";
  std::uint64_t kib = 0;
  std::error_code none;
  for (fs::directory_iterator it{"/sys/kernel/mm/hugepages", none}, end; it != end;
       it.increment(none)) {
    const std::string name = it->path().filename();
    if (!name.starts_with(kPrefix)) continue;
    std::uint64_t size_kib = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), size_kib);
    kib += size_kib * read_number(it->path() / "free_hugepages");
  }
  return kib / 1024;
}

bool has(const std::vector<std::string>& arguments, std::initializer_list<std::string_view> names) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& a) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
      // "--long", "--long=value", "-s", "-svalue"
      if (name.starts_with("--")) return a == name || a.starts_with(std::string{name} + '=');
      return a.starts_with(name);
    });
  });
}

/// True when a PCI device is bound to a kernel driver that hands it to DPDK.
bool has_pci_device_for_dpdk() {
  for (const char* driver : {"vfio-pci", "uio_pci_generic", "igb_uio"}) {
    std::error_code none;
    for (fs::directory_iterator it{fs::path{"/sys/bus/pci/drivers"} / driver, none}, end; it != end;
         it.increment(none))
      if (it->path().filename().string().find(':') != std::string::npos) return true;
  }
  return false;
}

std::string lcore_map(const std::vector<unsigned>& allowed, const std::vector<unsigned>& workers) {
  std::string map = fmt::format("0@({})", fmt::join(allowed, ","));
  for (std::size_t i = 0; i < workers.size(); ++i) map += fmt::format(",{}@{}", i + 1, workers[i]);
  return map;
}

void add_memory(const EalRequest& request, std::vector<std::string>& arguments, EalState& state) {
  const std::uint64_t free_mib = free_hugepage_mib();
  const bool refused = has(request.extra, {"--no-huge"});
  state.hugepages = !refused && free_mib >= request.memory_mib;
  if (state.hugepages) {
    state.memory = fmt::format("hugepages: {} MiB of {} MiB free", request.memory_mib, free_mib);
    // No files on hugetlbfs, so it need not be mounted, and nothing stays after a crash.
    arguments.emplace_back("--in-memory");
    // One file, so that a peer (memif without copies, vhost) can map all of it.
    arguments.emplace_back("--single-file-segments");
  } else {
    state.memory =
        refused ? fmt::format("ordinary pages, {} MiB: hugepages were refused", request.memory_mib)
                : fmt::format("ordinary pages, {} MiB: only {} MiB of hugepages are free",
                              request.memory_mib, free_mib);
    if (!refused) arguments.emplace_back("--no-huge");
    arguments.emplace_back("--no-shconf");
  }
  if (!has(request.extra, {"-m", "--socket-mem"}))
    arguments.push_back(fmt::format("-m{}", request.memory_mib));
}

std::vector<std::string> build_arguments(const EalRequest& request,
                                         const std::vector<unsigned>& allowed, EalState& state) {
  std::vector<std::string> a{"polluxd"};
  // No files but the run-time directory, whose name no other process has: instances cannot meet.
  a.push_back(fmt::format("--file-prefix=pollux-{}-{}", request.instance, getpid()));
  a.push_back("--lcores=" + lcore_map(allowed, request.worker_cpus));
  a.emplace_back("--main-lcore=0");
  a.emplace_back("--force-max-simd-bitwidth=512");
  if (!has(request.extra, {"--log-level"})) a.emplace_back("--log-level=warning");
  if (!has(request.extra, {"--telemetry"})) a.emplace_back("--no-telemetry");
  // With an allow-list the PCI bus probes nothing else; a device that a driver attaches later puts
  // itself on the list. The one address here is the last there can be, and no device's.
  if (!has(request.extra, {"-a", "--allow", "-b", "--block", "--no-pci"}))
    a.emplace_back("-affff:ff:1f.7");
  // Physical addresses are for devices without an IOMMU. Where no device is bound, virtual ones let
  // large things (a packet pool, AF_XDP's area) lie on any pages.
  if (!has(request.extra, {"--iova-mode"}) && !has_pci_device_for_dpdk())
    a.emplace_back("--iova-mode=va");
  add_memory(request, a, state);
  a.insert(a.end(), request.extra.begin(), request.extra.end());
  return a;
}

std::optional<Error> check(const EalRequest& request, const std::vector<unsigned>& allowed) {
  if (request.worker_cpus.size() >= RTE_MAX_LCORE)
    return Error{Errc::Invalid, fmt::format("{} workers are too many: at most {}",
                                            request.worker_cpus.size(), RTE_MAX_LCORE - 1)};
  for (const unsigned cpu : request.worker_cpus)
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
      return Error{Errc::Invalid, fmt::format("CPU {} is not among those that polluxd may use: {}",
                                              cpu, fmt::join(allowed, ","))};
  if (has(request.extra, {"-l", "-c", "--lcores", "--main-lcore", "--file-prefix", "--proc-type"}))
    return Error{
        Errc::Invalid,
        "EAL arguments for lcores, the file prefix and the process type are polluxd's own"};
  return std::nullopt;
}

/// Keeps what is printed while it lives: rte_eal_init() answers a bad argument with three pages of
/// help, and getopt() with the one line that matters.
class PrintCapture {
public:
  PrintCapture() noexcept : file_{memfd_create("eal", MFD_CLOEXEC)} {
    for (std::size_t i = 0; i < kStreams.size(); ++i) {
      saved_[i] = fcntl(kStreams[i], F_DUPFD_CLOEXEC, 0);
      if (file_ >= 0 && saved_[i] >= 0) (void)dup2(file_, kStreams[i]);
    }
  }
  PrintCapture(const PrintCapture&) = delete;
  PrintCapture& operator=(const PrintCapture&) = delete;
  ~PrintCapture() {
    restore();
    if (file_ >= 0) close(file_);
  }
  /// Ends the capture. @return the first line.
  std::string finish() {
    restore();
    std::array<char, 256> text{};
    const ssize_t n = pread(file_, text.data(), text.size(), 0);
    const std::string_view all{text.data(), n < 0 ? 0 : static_cast<std::size_t>(n)};
    return std::string{all.substr(0, all.find('\n'))};
  }

private:
  static constexpr std::array<int, 2> kStreams{STDOUT_FILENO, STDERR_FILENO};
  void restore() noexcept {
    (void)std::fflush(stdout);
    for (std::size_t i = 0; i < kStreams.size(); ++i) {
      if (saved_[i] < 0) continue;
      (void)dup2(saved_[i], kStreams[i]);
      close(std::exchange(saved_[i], -1));
    }
  }
  int file_;
  std::array<int, 2> saved_{-1, -1};
};

void remove_runtime_directory() noexcept {
  std::error_code ignored;
  if (const char* directory = rte_eal_get_runtime_dir();
      directory != nullptr &&
      std::string_view{directory}.find("/pollux-") != std::string_view::npos)
    fs::remove_all(directory, ignored);
}

/// @return a descriptor that keeps the directory locked for the life of the process; -1: another
/// process has it, or it is not there.
int lock_directory(const fs::path& directory) noexcept {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

/// "pollux-INSTANCE-PROCESS" of a process that is no more. A process of another container has a
/// number that says nothing here, so the lock has to be free as well.
bool is_of_the_dead(const fs::path& directory) {
  const std::string name = directory.filename();
  const auto dash = name.rfind('-');
  if (!name.starts_with("pollux-") || dash < sizeof "pollux-" - 1) return false;
  pid_t pid = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, pid);
  if (error != std::errc{} || stop != end || pid <= 0) return false;
  if (kill(pid, 0) == 0 || errno != ESRCH) return false;
  const int fd = lock_directory(directory);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/// What killed processes have left beside ours.
void remove_stale_directories() {
  std::error_code none;
  for (fs::directory_iterator it{fs::path{rte_eal_get_runtime_dir()}.parent_path(), none}, end;
       it != end; it.increment(none))
    if (std::error_code ignored; is_of_the_dead(it->path())) fs::remove_all(it->path(), ignored);
}
}  // namespace

core::Expected<EalState> eal_init(const EalRequest& request) {
  const std::vector<unsigned> allowed = allowed_cpus();
  if (const auto refused = check(request, allowed)) return *refused;
  EalState state;
  std::vector<std::string> arguments = build_arguments(request, allowed, state);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);

  redirect_log();
  (void)std::fflush(stdout);
  const EalLogCapture log;
  PrintCapture print;
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) {
    std::string line = print.finish();
    // "polluxd: unrecognized option ..." tells more than the EAL's "invalid arguments".
    if (const std::string logged = log.first_error();
        !logged.empty() && !line.starts_with(arguments.front()))
      line = logged;
    remove_runtime_directory();
    return Error{Errc::DeviceFailed,
                 fmt::format("DPDK cannot start with {}: {}",
                             fmt::join(arguments.begin() + 1, arguments.end(), " "),
                             line.empty() ? rte_strerror(rte_errno) : line)};
  }
  // Empty without telemetry, and then needed no more; removed now, a crash leaves nothing.
  if (!has(request.extra, {"--telemetry"}))
    remove_runtime_directory();
  else
    (void)lock_directory(rte_eal_get_runtime_dir());
  remove_stale_directories();
  for (unsigned i = 0; i < request.worker_cpus.size(); ++i) state.lcores.push_back(i + 1);
  return state;
}

void eal_cleanup(unsigned /*instance*/) noexcept {
  core::park_interrupt_thread();
  (void)rte_eal_cleanup();
  remove_runtime_directory();
}

std::vector<unsigned> choose_cpus(unsigned workers, const std::vector<unsigned>& wanted) {
  std::vector<unsigned> from = wanted.empty() ? allowed_cpus() : wanted;
  if (wanted.empty() && from.size() > workers) from.erase(from.begin());
  std::vector<unsigned> cpus;
  for (unsigned i = 0; i < workers; ++i) cpus.push_back(from[i % from.size()]);
  return cpus;
}

EalLogCapture::EalLogCapture() {
  LogSink& sink = log_sink();
  const std::scoped_lock hold{sink.lock};
  sink.capturing = true;
  sink.first_error.clear();
}

EalLogCapture::~EalLogCapture() {
  LogSink& sink = log_sink();
  const std::scoped_lock hold{sink.lock};
  sink.capturing = false;
}

std::string EalLogCapture::first_error() const {
  LogSink& sink = log_sink();
  const std::scoped_lock hold{sink.lock};
  return sink.first_error;
}
}  // namespace polluxd
