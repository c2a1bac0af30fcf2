// SPDX-License-Identifier: BSD-3-Clause
// config.*: the configuration as a whole. The client reads the files and sends what is in them: the
// daemon opens no path that a client names.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/configuration.hh"

namespace polluxd {
namespace {
constexpr std::uint32_t kMaxConfirm_s = 86'400;

/// The text of a file, and its name for the errors.
struct SentFile {
  std::string name, text;
};
SentFile read_file(Params& params) {
  SentFile file{params.text("file"), params.text("text")};
  // The name stands in every error, which ends on a terminal.
  for (const char c : file.name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      bad_params("file: has a control character in it");
  return file;
}

/// Parameters file, text, folder, keys.
ConfigFile read_config(Params& params) {
  const SentFile file = read_file(params);
  const std::filesystem::path folder = params.text("folder", "/");
  if (!folder.is_absolute()) bad_params("folder: expected an absolute path");
  std::map<std::string, crypto::Secret> keys;
  params.objects("keys", [&](Params& p) {
    std::string path = p.text("file");
    keys.insert_or_assign(std::move(path), p.key("key"));
  });
  // Several SAs may name one file, so each gets a copy.
  const KeySource key_in = [&](const std::string& path) -> core::Expected<crypto::Secret> {
    if (const auto at = keys.find(path); at != keys.end())
      return crypto::Secret::from_bytes(at->second.bytes());
    return core::Error{core::Errc::NotFound, fmt::format("key file {} was not sent", path)};
  };
  auto config = done_or_throw(parse_config(file.name, file.text, key_in));
  for (SaConfig& sa : config.config.sas) sa.key_file = (folder / sa.key_file).lexically_normal();
  return config;
}

Json to_json(const ConfigPlan& plan) {
  Json changes = Json::array();
  for (const ConfigChange& c : plan.changes)
    changes.push_back({{"sign", std::string(1, static_cast<char>(c.sign))},
                       {"group", c.group},
                       {"name", c.name},
                       {"text", c.text}});
  return {{"changes", std::move(changes)}, {"restart", plan.restart}};
}

Json key_files(Configuration&, Params& params) {
  const SentFile file = read_file(params);
  params.done();
  std::set<std::string> files;
  for (const SaConfig& sa : done_or_throw(parse_config(file.name, file.text, {})).config.sas)
    files.insert(sa.key_file);
  return files;
}

Json plan(Configuration& configuration, Params& params) {
  ConfigFile wanted = read_config(params);
  params.done();
  return to_json(done_or_throw(configuration.plan(std::move(wanted))));
}

Json apply(Configuration& configuration, Params& params) {
  std::optional<std::uint32_t> confirm_s;
  if (params.has("confirm_s")) confirm_s = params.number("confirm_s", 1, kMaxConfirm_s);
  ConfigFile wanted = read_config(params);
  params.done();
  Json result = to_json(done_or_throw(configuration.apply(std::move(wanted), confirm_s)));
  const auto waits_s = configuration.waits_s();
  result["confirm_s"] = waits_s ? Json(*waits_s) : Json(nullptr);
  return result;
}

Json confirm(Configuration& configuration, Params& params) {
  params.done();
  done_or_throw(configuration.confirm());
  return Json::object();
}

Json save(Configuration& configuration, Params& params) {
  params.done();
  const Configuration::Saved saved = configuration.save();
  Json without_key = Json::array();
  for (const SaConfig& sa : saved.without_key)
    without_key.push_back({{"tunnel", sa.tunnel},
                           {"direction", sa.direction == crypto::Direction::In ? "in" : "out"},
                           {"spi", fmt::format("0x{:08x}", sa.spi)}});
  return {{"text", saved.text}, {"without_key", std::move(without_key)}};
}

constexpr std::array kMethods{
    Method{.name = "config.key_files", .configure = key_files},
    Method{.name = "config.plan", .configure = plan},
    Method{.name = "config.apply", .configure = apply},
    Method{.name = "config.confirm", .configure = confirm},
    Method{.name = "config.save", .configure = save},
};
}  // namespace

std::span<const Method> config_methods() {
  return kMethods;
}
}  // namespace polluxd
