// SPDX-License-Identifier: BSD-3-Clause
// check, plan, apply, confirm, save: the configuration as a whole. What is in the files is read
// here, with the rights of whoever asks, and sent; check needs no daemon.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <system_error>

#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
namespace fs = std::filesystem;

/// Thousands of changes take their time, each with its grace period.
constexpr std::chrono::minutes kApplyTimeout{10};
/// What one line of the control socket takes, less room for the rest of the request.
constexpr std::size_t kMaxText = (std::size_t{4} << 20) - 4096;

std::string reason(int error) {
  return std::generic_category().message(error);
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::string read_all(std::FILE* file) {
  std::string text;
  std::array<char, 65536> chunk;
  while (const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), file))
    text.append(chunk.data(), n);
  return text;
}

std::string read_text(const std::string& path) {
  const File file{std::fopen(path.c_str(), "re")};
  if (!file) throw Refused{fmt::format("{}: cannot read: {}", path, reason(errno))};
  std::string text = read_all(file.get());
  if (std::ferror(file.get()) != 0) throw Refused{fmt::format("{}: cannot be read", path)};
  if (text.size() > kMaxText)
    throw Refused{fmt::format("{}: {} bytes, the daemon takes {}", path, text.size(), kMaxText)};
  return text;
}

/// A call with what a configuration file and its key files hold.
Json call_with_file(const Session& session, const std::string& path, Call call) {
  const std::string text = read_text(path);
  const fs::path folder = fs::absolute(path).parent_path();
  Client client{session.path()};
  const Json files = client.call({"config.key_files", {{"file", path}, {"text", text}}});
  NamedKeys keys;
  for (const Json& file : files) {
    const auto name = file.get<std::string>();
    keys.emplace_back(name, std::make_unique<KeyText>(folder / name));
  }
  call.params["file"] = path;
  call.params["text"] = text;
  call.params["folder"] = folder.string();
  return client.call_with_keys(call, keys, kApplyTimeout);
}

void print_json(const Json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, Json::error_handler_t::replace));
}

/// Changes under a heading for each group, then what takes a restart.
std::string show_plan(const Json& plan) {
  std::string out;
  constexpr std::array kGroups{"sysctl", "interface", "tunnel", "sa", "route", "neighbor"};
  for (const char* group : kGroups) {
    bool first = true;
    for (const Json& c : plan.value("changes", Json::array())) {
      if (c.value("group", "") != group) continue;
      if (first) out += fmt::format("{}\n", group);
      first = false;
      const std::string text = c.value("text", "");
      out += fmt::format("  {} {}{}{}\n", c.value("sign", "?"), c.value("name", "?"),
                         text.empty() ? "" : ": ", text);
    }
  }
  const Json restart = plan.value("restart", Json::array());
  if (!restart.empty()) out += "takes a restart\n";
  for (const Json& line : restart) out += fmt::format("  ~ {}\n", line.get<std::string>());
  return out.empty() ? "nothing to do\n" : out;
}

int plan(const Session& session, const std::string& path) {
  const Json result = call_with_file(session, path, {"config.plan", Json::object()});
  if (session.json)
    print_json(result);
  else
    fmt::print("{}", show_plan(result));
  return 0;
}

int apply(const Session& session, const std::string& path, std::optional<std::uint32_t> confirm_s) {
  Json params = Json::object();
  if (confirm_s) params["confirm_s"] = *confirm_s;
  const Json result = call_with_file(session, path, {"config.apply", std::move(params)});
  if (session.json) {
    print_json(result);
    return 0;
  }
  fmt::print("{}", show_plan(result));
  if (result.contains("confirm_s") && !result["confirm_s"].is_null())
    fmt::print("undone in {} s unless \"plx confirm\" comes\n", text_of(result, "confirm_s"));
  return 0;
}

/// polluxd beside this program, or else wherever the shell would find it.
std::string daemon_program() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = self.parent_path() / "polluxd";
  return !error && ::access(beside.c_str(), X_OK) == 0 ? beside.string() : "polluxd";
}

/// Runs a program with its standard error in a pipe. @return what it wrote, and its exit status.
std::pair<std::string, int> run_program(std::vector<std::string> words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Refused{fmt::format("pipe: {}", reason(errno))};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  const File from{::fdopen(ends[0], "r")};
  if (error != 0) throw Refused{fmt::format("cannot run {}: {}", words[0], reason(error))};
  std::string text = read_all(from.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return {std::move(text), WIFEXITED(status) ? WEXITSTATUS(status) : 128};
}

int check(const Session& session, const std::string& path) {
  const auto [text, status] = run_program({daemon_program(), "--check", "--config", path});
  constexpr std::string_view kPrefix = "polluxd: ";
  Json errors = Json::array();
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);)
    errors.push_back(line.starts_with(kPrefix) ? line.substr(kPrefix.size()) : line);
  if (session.json) print_json({{"file", path}, {"errors", errors}});
  if (!session.json)
    for (const Json& e : errors) fmt::print(stderr, "{}\n", e.get<std::string>());
  return status == 0 ? 0 : 1;
}

/// Whole or not at all: under another name first.
void write_text(const std::string& path, const std::string& text) {
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkstemp(temporary.data());
  const auto refuse = [&](const char* what) {
    const std::string why = reason(errno);
    if (fd >= 0) ::unlink(temporary.c_str());
    throw Refused{fmt::format("{}: {}: {}", path, what, why)};
  };
  if (fd < 0) refuse("cannot write");
  const File file{::fdopen(fd, "w")};
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat found {};
  const bool replaces = ::stat(path.c_str(), &found) == 0;
  if (::fchmod(fd, replaces ? found.st_mode & 07777 : 0666 & ~mask) != 0) refuse("mode");
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0 || ::fsync(fd) != 0)
    refuse("cannot write");
  if (::rename(temporary.c_str(), path.c_str()) != 0) refuse("cannot replace");
}

int save(const Session& session, const std::string& path) {
  const Json result = Client{session.path()}.call({"config.save", Json::object()});
  const auto text = result.at("text").get<std::string>();
  const bool to_output = path == "-";
  if (!to_output) write_text(path, text);
  if (session.json)
    print_json(result);
  else if (to_output)
    fmt::print("{}", text);
  for (const Json& sa : result.value("without_key", Json::array()))
    fmt::print(stderr, "plx: left out: sa {} {} {}, whose key is in no file\n",
               text_of(sa, "tunnel"), text_of(sa, "direction"), text_of(sa, "spi"));
  return 0;
}

/// A command whose one argument is a file.
template <class Run>
CLI::App* add_file_command(CLI::App& app, Session& session, const char* name, const char* help,
                           const std::shared_ptr<std::string>& path, Run run) {
  CLI::App* command =
      add_command(app, session, name, help, [&session, path, run] { return run(session, *path); });
  command->add_option("file", *path, "TOML file")->required()->type_name("");
  return command;
}
}  // namespace

void declare_config(CLI::App& app, Session& session) {
  const auto file = [] { return std::make_shared<std::string>(); };
  add_file_command(app, session, "check", "say what is wrong with a configuration file; no daemon",
                   file(), check);
  add_file_command(app, session, "plan", "show what apply would change", file(), plan);
  const auto confirm_s = std::make_shared<std::optional<std::uint32_t>>();
  add_file_command(
      app, session, "apply", "make a file the running configuration, all or nothing", file(),
      [confirm_s](const Session& s, const std::string& path) { return apply(s, path, *confirm_s); })
      ->add_option("--confirm", *confirm_s, "undo it after so long unless confirmed")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{86'400}));
  add_planned(app, session, "confirm", "keep what was applied with --confirm",
              [] { return Plan{"config.confirm"}; });
  add_file_command(app, session, "save", "write the running configuration to a file, - to show it",
                   file(), save);
}
}  // namespace plx
