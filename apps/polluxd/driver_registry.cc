// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/driver_registry.hh"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <span>

#include "apps/polluxd/driver_object.hh"
#include "apps/polluxd/eal.hh"

namespace polluxd {
namespace {
namespace fs = std::filesystem;
using core::Errc;
using core::Error;

constexpr std::string_view kPrefix = "pollux-", kSuffix = ".so";
constexpr std::string_view kNameOption = "name";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLoadFlags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
#else
constexpr int kLoadFlags = RTLD_NOW | RTLD_LOCAL;
#endif

/// Name to file; the first folder that has a name wins.
std::map<std::string, fs::path> find_objects(const std::vector<std::string>& path) {
  std::map<std::string, fs::path> objects;
  for (const std::string& folder : path) {
    std::error_code ignored;  // a folder that is not there holds no drivers
    for (fs::directory_iterator it{folder, ignored}, end; it != end; it.increment(ignored)) {
      const std::string file = it->path().filename();
      if (file.size() <= kPrefix.size() + kSuffix.size() || !file.starts_with(kPrefix) ||
          !file.ends_with(kSuffix))
        continue;
      objects.emplace(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()),
                      it->path());
    }
  }
  return objects;
}

std::vector<std::string> names_of(const std::map<std::string, fs::path>& objects) {
  std::vector<std::string> names;
  for (const auto& [name, file] : objects) names.push_back(name);
  return names;
}

/// VLANs need no device and so no object: the stack itself takes tags off and puts them on.
constexpr pollux_option kVlanOptions[] = {
    {"parent", POLLUX_OPTION_STRING, nullptr, "interface that carries the VLAN"},
    {"id", POLLUX_OPTION_UINT, nullptr, "VLAN identifier, 1 to 4094"},
    {"proto", POLLUX_OPTION_STRING, "802.1Q", "kind of tag: 802.1Q or 802.1ad"},
};
constexpr pollux_driver kVlan{.abi = POLLUX_DRIVER_ABI,
                              .flags = POLLUX_DRIVER_RESIDENT,
                              .name = "vlan",
                              .description = "frames of another interface that carry a VLAN tag",
                              .version = "",
                              .options = kVlanOptions,
                              .n_options = std::size(kVlanOptions),
                              .open = nullptr,
                              .close = nullptr,
                              .link = nullptr,
                              .set_mtu = nullptr,
                              .stats = nullptr,
                              .set_promiscuous = nullptr,
                              .set_multicast = nullptr,
                              .xstats = nullptr,
                              .interface_prefix = nullptr};

std::shared_ptr<const Driver> built_in(const std::string& name) {
  static const auto vlan = std::make_shared<const Driver>(nullptr, "", kVlan);
  return name == kVlan.name ? vlan : nullptr;
}

/// All names on the path and the built-in ones, which come first.
std::map<std::string, fs::path> all_drivers(const std::vector<std::string>& path) {
  std::map<std::string, fs::path> objects{{kVlan.name, {}}};
  objects.merge(find_objects(path));
  return objects;
}

/// Loads an object and checks that it is a driver of this version.
core::Expected<std::shared_ptr<const Driver>> open_object(const std::string& file) {
  void* object = dlopen(file.c_str(), kLoadFlags);
  if (object == nullptr)
    return Error{Errc::Invalid, fmt::format("cannot load the driver: {}", dlerror())};
  std::unique_ptr<void, int (*)(void*)> guard{object, dlclose};
  void* symbol = dlsym(object, POLLUX_DRIVER_ENTRY_SYMBOL);
  if (symbol == nullptr)
    return Error{Errc::Invalid,
                 fmt::format("{} is not a driver: it has no {}", file, POLLUX_DRIVER_ENTRY_SYMBOL)};
  decltype(&pollux_driver_entry) entry_point = nullptr;
  static_assert(sizeof entry_point == sizeof symbol);
  std::memcpy(&entry_point, &symbol, sizeof symbol);
  const pollux_driver* entry = entry_point();
  if (entry == nullptr) return Error{Errc::Invalid, fmt::format("{} describes no driver", file)};
  if (entry->abi != POLLUX_DRIVER_ABI)
    return Error{Errc::Invalid,
                 fmt::format("{} is built for version {} of the driver interface, this is version "
                             "{}",
                             file, entry->abi, POLLUX_DRIVER_ABI)};
  auto driver = std::make_shared<const Driver>(object, file, *entry);
  (void)guard.release();
  return driver;
}

LoadedDriver describe(const Driver& driver) {
  const pollux_driver& e = driver.entry();
  std::vector<DriverOption> options;
  for (const pollux_option& o : driver.options()) {
    options.push_back({.name = o.name, .type = o.type, .default_value = {}, .help = o.help});
    if (o.default_value != nullptr) options.back().default_value = o.default_value;
  }
  return {.name = e.name,
          .description = e.description,
          .version = e.version != nullptr ? e.version : "",
          .file = driver.file(),
          .abi = e.abi,
          .loaded = false,
          .resident = driver.resident(),
          .references = 0,
          .options = std::move(options)};
}

std::string valid_options(const Driver& driver) {
  std::vector<std::string_view> names;
  for (const pollux_option& o : driver.options()) names.emplace_back(o.name);
  names.push_back(kNameOption);
  return fmt::format("{}", fmt::join(names, ", "));
}

const pollux_option* find_option(const Driver& driver, std::string_view name) {
  const auto all = driver.options();
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const pollux_option& o) { return name == o.name; });
  return at == all.end() ? nullptr : &*at;
}

Error unknown_option(const Driver& driver, std::string_view name) {
  return {Errc::Invalid, fmt::format("driver {} has no option \"{}\"; it has: {}",
                                     driver.entry().name, name, valid_options(driver))};
}

const std::string* find_value(const DriverOptions& options, std::string_view name) {
  for (const auto& [option, value] : options)
    if (option == name) return &value;
  return nullptr;
}

bool is_uint32(std::string_view text) {
  std::uint32_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

core::Expected<std::vector<pollux_option_value>> check_options(const Driver& driver,
                                                               const DriverOptions& given) {
  for (const auto& [name, value] : given) {
    if (find_option(driver, name) == nullptr) return unknown_option(driver, name);
    if (std::count_if(given.begin(), given.end(),
                      [&name = name](const auto& o) { return o.first == name; }) > 1)
      return Error{Errc::Invalid,
                   fmt::format("driver {}: option {} is given twice", driver.entry().name, name)};
  }
  std::vector<pollux_option_value> values;
  for (const pollux_option& o : driver.options()) {
    const std::string* value = find_value(given, o.name);
    if (value == nullptr && o.default_value == nullptr)
      return Error{Errc::Invalid,
                   fmt::format("driver {} needs {}= ({}); its options: {}", driver.entry().name,
                               o.name, o.help, valid_options(driver))};
    // DPDK's device text has no way to quote a comma; the rest of the line may hold them.
    if (value != nullptr && o.type == POLLUX_OPTION_STRING && value->find(',') != std::string::npos)
      return Error{Errc::Invalid, fmt::format("driver {}: {}=\"{}\" holds a comma",
                                              driver.entry().name, o.name, *value)};
    if (value != nullptr && o.type == POLLUX_OPTION_UINT && !is_uint32(*value))
      return Error{Errc::Invalid,
                   fmt::format("driver {}: {}=\"{}\" is not a number from 0 to 4294967295",
                               driver.entry().name, o.name, *value)};
    if (value != nullptr && value->empty() && o.default_value == nullptr)
      return Error{Errc::Invalid, fmt::format("driver {}: {}= is empty; expected {}",
                                              driver.entry().name, o.name, o.help)};
    values.push_back({o.name, value != nullptr ? value->c_str() : o.default_value});
  }
  return values;
}

namespace {
core::Expected<ParsedDevice> parse_options(const Driver& driver, ParsedDevice parsed,
                                           std::string_view rest) {
  const auto refuse = [&](const std::string& text) {
    return Error{Errc::Invalid, fmt::format("driver {}: {}", driver.entry().name, text)};
  };
  // The interface's name is ours, not the driver's; last, it may stand behind a value with commas.
  constexpr std::string_view kLast = ",name=";
  bool named = false;
  if (const auto at = rest.rfind(kLast);
      at != std::string_view::npos && rest.find(',', at + 1) == std::string_view::npos) {
    parsed.name = rest.substr(at + kLast.size());
    rest = rest.substr(0, at);
    named = true;
  }
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the comma
    std::string_view item = rest.substr(0, rest.find(','));
    const auto equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const pollux_option* option = find_option(driver, name);
    if (option == nullptr && name != kNameOption) return unknown_option(driver, name);
    if (equals == std::string_view::npos)
      return refuse(fmt::format("option {} has no value; expected {}=VALUE", name, name));
    if (option != nullptr && option->type == POLLUX_OPTION_REST) item = rest;
    const std::string_view value = item.substr(equals + 1);
    if (option == nullptr ? named : find_value(parsed.options, name) != nullptr)
      return refuse(fmt::format("option {} is given twice", name));
    if (option == nullptr) {
      parsed.name = value;
      named = true;
    } else {
      parsed.options.emplace_back(name, value);
    }
    rest.remove_prefix(item.size());
  }
  if (named && parsed.name.empty()) return refuse("name= is empty");
  return parsed;
}

/// Never used twice in a process, whose devices share one list of names: something of a port may
/// outlive it.
std::string next_port_name() {
  static std::atomic<unsigned> next{0};
  return fmt::format("pollux{}", next++);
}
}  // namespace

DriverRegistry::DriverRegistry(std::vector<std::string> path) {
  if (const char* folders = std::getenv("POLLUX_DRIVER_PATH")) {
    std::string_view rest = folders;
    while (!rest.empty()) {
      const std::string_view folder = rest.substr(0, rest.find(':'));
      if (!folder.empty()) path_.emplace_back(folder);
      rest.remove_prefix(std::min(folder.size() + 1, rest.size()));
    }
  }
  for (std::string& folder : path) path_.push_back(std::move(folder));
  std::error_code unknown;
  const fs::path program = fs::read_symlink("/proc/self/exe", unknown);
  if (!unknown) path_.push_back(program.parent_path().parent_path() / "lib" / "pollux");
}

core::Expected<std::shared_ptr<const Driver>> DriverRegistry::load(
    const std::string& name_or_path) const {
  if (name_or_path.find('/') != std::string::npos) {
    std::error_code ignored;
    if (!fs::exists(name_or_path, ignored))
      return Error{Errc::NotFound, fmt::format("no driver object {}", name_or_path)};
    return load_file(name_or_path);
  }
  const auto objects = all_drivers(path_);
  const auto load_named =
      [&](const std::string& name) -> core::Expected<std::shared_ptr<const Driver>> {
    if (auto driver = built_in(name)) return driver;
    return load_file(objects.at(name));
  };
  if (objects.contains(name_or_path)) return load_named(name_or_path);
  std::vector<std::string> matches;
  if (!name_or_path.empty())
    for (const auto& [name, file] : objects)
      if (name.find(name_or_path) != std::string::npos) matches.push_back(name);
  if (matches.size() == 1) return load_named(matches.front());
  if (matches.size() > 1)
    return Error{Errc::Invalid, fmt::format("several drivers match \"{}\": {}", name_or_path,
                                            fmt::join(matches, ", "))};
  return Error{Errc::NotFound, fmt::format("no driver \"{}\"; there are: {}", name_or_path,
                                           fmt::join(names_of(objects), ", "))};
}

core::Expected<ParsedDevice> DriverRegistry::parse_device(std::string_view text) const {
  ParsedDevice parsed;
  parsed.driver = text.substr(0, text.find(','));
  const auto driver = load(parsed.driver);
  if (!driver) return driver.error();
  const std::string_view rest = text.substr(parsed.driver.size());
  return parse_options(**driver, std::move(parsed), rest);
}

core::Expected<OpenPort> DriverRegistry::open(const std::shared_ptr<const Driver>& driver,
                                              const PortRequest& request) const {
  const auto values = check_options(*driver, request.options);
  if (!values) return values.error();
  const std::string name = next_port_name();
  const pollux_port_request asked{.name = name.c_str(),
                                  .options = values->data(),
                                  .n_options = values->size(),
                                  .queues = request.queues,
                                  .mtu = request.mtu,
                                  .pool = request.pool,
                                  .pool_near =
                                      [](void* context, int node) {
                                        const auto& r = *static_cast<const PortRequest*>(context);
                                        return r.pool_near ? r.pool_near(node) : r.pool;
                                      },
                                  .context = const_cast<PortRequest*>(&request)};
  OpenPort opened;
  std::array<char, 512> said{};
  EalLogCapture log;
  if (const int error = driver->entry().open(&asked, &opened.port, said.data(), said.size() - 1);
      error != 0) {
    std::string text = said[0] != '\0' ? said.data() : strerror(-error);
    if (const std::string line = log.first_error(); !line.empty())
      text += fmt::format(" (DPDK: {})", line);
    return Error{Errc::DeviceFailed, fmt::format("driver {}: {}", driver->entry().name, text)};
  }
  opened.driver = driver;
  if (request.pool != nullptr)
    opened.buffer_size = std::uint32_t{rte_pktmbuf_data_room_size(request.pool)} -
                         std::uint32_t{RTE_PKTMBUF_HEADROOM};
  const auto is_this = [&](const auto& d) { return d == driver; };
  if (driver->resident() && std::none_of(resident_.begin(), resident_.end(), is_this))
    resident_.push_back(driver);
  return opened;
}

core::Expected<std::shared_ptr<const Driver>> DriverRegistry::load_file(
    const std::string& file) const {
  std::error_code unknown;
  const fs::path canonical = fs::canonical(file, unknown);
  const std::string key = unknown ? file : canonical.string();
  if (const auto at = objects_.find(key); at != objects_.end())
    if (auto driver = at->second.lock()) return driver;
  auto driver = open_object(file);
  if (!driver) return driver;
  objects_[key] = *driver;
  return driver;
}

std::vector<std::string> DriverRegistry::available() const {
  return names_of(all_drivers(path_));
}

std::vector<LoadedDriver> DriverRegistry::loaded() const {
  std::vector<LoadedDriver> all;
  for (const auto& [file, object] : objects_) {
    const auto driver = object.lock();
    if (!driver) continue;
    LoadedDriver d = describe(*driver);
    d.loaded = true;
    const long others = driver.use_count() - 1 - (driver->resident() ? 1 : 0);
    d.references = others > 0 ? static_cast<std::size_t>(others) : 0;
    all.push_back(std::move(d));
  }
  return all;
}

std::vector<LoadedDriver> DriverRegistry::list() const {
  std::vector<LoadedDriver> all = loaded();
  for (const auto& [name, file] : all_drivers(path_)) {
    if (std::any_of(all.begin(), all.end(), [&n = name](const auto& d) { return d.name == n; }))
      continue;
    const auto driver = load(file.empty() ? name : file.string());
    if (driver) all.push_back(describe(**driver));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

std::string driver_name(const Driver& driver) {
  return driver.entry().name;
}

std::string interface_prefix(const Driver& driver) {
  const char* prefix = driver.entry().interface_prefix;
  return prefix != nullptr ? prefix : driver.entry().name;
}

bool is_built_in(const Driver& driver) {
  return driver.built_in();
}

std::string driver_file(const Driver& driver) {
  return driver.file();
}
}  // namespace polluxd
