// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/spec_syntax.hh"

namespace polluxd {
namespace {
std::string_view name_of(core::Errc code) noexcept {
  switch (code) {
    case core::Errc::Invalid: return "Invalid";
    case core::Errc::NotFound: return "NotFound";
    case core::Errc::Exists: return "Exists";
    case core::Errc::Full: return "Full";
    case core::Errc::Unsupported: return "Unsupported";
    case core::Errc::DeviceFailed: return "DeviceFailed";
    case core::Errc::Timeout: return "Timeout";
  }
  return "Unknown";
}
[[noreturn]] void wrong_type(std::string_view name, const Json& value, std::string_view expected) {
  bad_params(fmt::format("{} is of type {}, expected {}", name, value.type_name(), expected));
}
std::int64_t as_integer(std::string_view name, const Json& value, std::string_view expected) {
  // An unsigned value beyond 2^63 would come out negative.
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    bad_params(fmt::format("{} is out of range, expected {}", name, expected));
  if (!value.is_number_integer()) wrong_type(name, value, expected);
  return value.get<std::int64_t>();
}
std::uint32_t in_range(std::string_view name, const Json& value, std::uint32_t min,
                       std::uint32_t max) {
  const std::string expected = fmt::format("an integer, {} to {}", min, max);
  const std::int64_t n = as_integer(name, value, expected);
  if (n < min || n > max)
    bad_params(fmt::format("{} is out of range, expected {}", name, expected));
  return static_cast<std::uint32_t>(n);
}
std::string as_text(std::string_view name, const Json& value, std::string_view expected) {
  if (!value.is_string()) wrong_type(name, value, expected);
  std::string text = value.get<std::string>();
  // Further down texts become names of files and devices, where a NUL would cut them short.
  if (text.find('\0') != std::string::npos)
    bad_params(fmt::format("{} has a NUL character in it", name));
  return text;
}
}  // namespace

CallError refusal(const core::Error& error) {
  return {-32000 - static_cast<int>(error.code), error.context,
          Json{{"code", name_of(error.code)}}};
}

void bad_params(std::string text) {
  throw CallError{CallError::kInvalidParams, std::move(text)};
}

Params::Params(const Json* object, Keys& keys) : object_{object}, keys_{keys} {
  if (object_ != nullptr && object_->is_array() && object_->empty()) object_ = nullptr;
  if (object_ != nullptr && !object_->is_object())
    bad_params("params: expected an object with named parameters");
}

const Json* Params::find(std::string_view name) {
  known_.emplace_back(name);
  if (object_ == nullptr) return nullptr;
  const auto at = object_->find(known_.back());
  return at == object_->end() ? nullptr : &*at;
}

const Json& Params::need(std::string_view name, std::string_view expected) {
  const Json* value = find(name);
  if (value == nullptr) bad_params(fmt::format("{} is missing, expected {}", name, expected));
  return *value;
}

bool Params::has(std::string_view name) {
  return find(name) != nullptr;
}

std::string Params::text(std::string_view name) {
  return as_text(name, need(name, "a string"), "a string");
}
std::string Params::text(std::string_view name, std::string otherwise) {
  return has(name) ? text(name) : std::move(otherwise);
}

std::uint32_t Params::number(std::string_view name, std::uint32_t min, std::uint32_t max) {
  return in_range(name, need(name, fmt::format("an integer, {} to {}", min, max)), min, max);
}
std::uint32_t Params::number(std::string_view name, std::uint32_t min, std::uint32_t max,
                             std::uint32_t otherwise) {
  return has(name) ? number(name, min, max) : otherwise;
}

std::int64_t Params::integer(std::string_view name) {
  return as_integer(name, need(name, "an integer"), "an integer");
}

bool Params::boolean(std::string_view name) {
  const Json& value = need(name, "true or false");
  if (!value.is_boolean()) wrong_type(name, value, "true or false");
  return value.get<bool>();
}
bool Params::boolean(std::string_view name, bool otherwise) {
  return has(name) ? boolean(name) : otherwise;
}

std::vector<std::string> Params::texts(std::string_view name) {
  std::vector<std::string> values;
  const Json* array = find(name);
  if (array == nullptr) return values;
  if (!array->is_array()) wrong_type(name, *array, "an array of strings");
  for (const Json& item : *array) values.push_back(as_text(name, item, "an array of strings"));
  return values;
}

std::vector<std::pair<std::string, std::string>> Params::options(std::string_view name) {
  std::vector<std::pair<std::string, std::string>> values;
  const Json* object = find(name);
  if (object == nullptr) return values;
  constexpr std::string_view kExpected = "an object of strings and integers";
  if (!object->is_object()) wrong_type(name, *object, kExpected);
  for (const auto& [key, value] : object->items()) {
    const std::string where = fmt::format("{}.{}", name, key);
    values.emplace_back(key, value.is_number()
                                 ? std::to_string(as_integer(where, value, "an integer"))
                                 : as_text(where, value, "a string or an integer"));
  }
  return values;
}

std::vector<std::pair<std::string, std::int64_t>> Params::integers(std::string_view name) {
  std::vector<std::pair<std::string, std::int64_t>> values;
  const Json& object = need(name, "an object of integers");
  if (!object.is_object()) wrong_type(name, object, "an object of integers");
  for (const auto& [key, value] : object.items())
    values.emplace_back(key, as_integer(fmt::format("{}.{}", name, key), value, "an integer"));
  return values;
}

void Params::objects(std::string_view name, const std::function<void(Params&)>& read) {
  const Json* array = find(name);
  if (array == nullptr) return;
  if (!array->is_array()) wrong_type(name, *array, "an array of objects");
  for (const Json& item : *array) {
    if (!item.is_object()) wrong_type(name, item, "an array of objects");
    Params inner{&item, keys_};
    read(inner);
    inner.done();
  }
}

std::uint32_t Params::spi(std::string_view name) {
  const Json& value = need(name, "an integer or a string like \"0x1000\"");
  if (value.is_string()) return parsed(name, parse_spi);
  return in_range(name, value, kMinSpi, ~std::uint32_t{0});
}

crypto::Secret Params::key(std::string_view name) {
  const std::string number = text(name);
  std::size_t index = 0;
  const char* begin = number.data() + std::min(number.find_first_not_of(' '), number.size());
  const auto [end, error] = std::from_chars(begin, number.data() + number.size(), index);
  if (error != std::errc{} || end != number.data() + number.size() || index >= keys_.size())
    bad_params(fmt::format("{}: expected key and salt as hexadecimal digits", name));
  auto& key = keys_[index];
  if (!key) bad_params(fmt::format("{}: {}", name, key.error().context));
  return std::move(*key);
}

void Params::done() const {
  if (object_ == nullptr) return;
  for (const auto& [name, value] : object_->items())
    if (std::ranges::find(known_, name) == known_.end())
      bad_params(
          fmt::format("unknown parameter \"{}\", expected one of: {}", name.substr(0, 64),
                      known_.empty() ? "(none)" : fmt::format("{}", fmt::join(known_, ", "))));
}

namespace {
/// Walks through JSON text far enough to know strings from the rest.
class KeyScan {
public:
  explicit KeyScan(std::string& line) : line_{line} {}

  /// @return false: nested too deep.
  bool run(Keys& keys) {
    while (at_ < line_.size()) {
      const char c = line_[at_];
      if (c == '"') {
        string(keys);
        continue;
      }
      if (c == '[' || c == '{') ++depth_;
      if ((c == ']' || c == '}') && depth_ > 0) --depth_;
      if (depth_ > kMaxDepth) return false;
      if (c == ':' && after_key_name_) {
        value_is_key_ = true;
        after_key_name_ = false;
      } else if (!is_space(c)) {
        after_key_name_ = value_is_key_ = false;
      }
      ++at_;
    }
    return true;
  }

private:
  static constexpr std::size_t kMaxDepth = 32;
  /// Shorter ones are no key of any algorithm; there must be room for a number of one.
  static constexpr std::size_t kShortestKey = 8;

  static bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  void string(Keys& keys) {
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    while (end < line_.size() && line_[end] != '"') end += line_[end] == '\\' ? 2 : 1;
    end = std::min(end, line_.size());
    const std::string_view text{line_.data() + begin, end - begin};
    if (value_is_key_) take(begin, end - begin, keys);
    after_key_name_ = !value_is_key_ && text == "key";
    value_is_key_ = false;
    at_ = std::min(end + 1, line_.size());
  }
  void take(std::size_t begin, std::size_t size, Keys& keys) {
    if (size < kShortestKey || keys.size() >= kMaxKeys) return;
    keys.push_back(crypto::Secret::from_hex({line_.data() + begin, size}));
    crypto::wipe(line_.data() + begin, size);
    const std::string number = fmt::format("{:>{}}", keys.size() - 1, size);
    std::ranges::copy(number, line_.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  static constexpr std::size_t kMaxKeys = 8192;  ///< two for each of thousands of tunnels

  std::string& line_;
  std::size_t at_ = 0, depth_ = 0;
  bool after_key_name_ = false, value_is_key_ = false;
};
}  // namespace

core::Expected<Keys> take_keys(std::string& line) {
  Keys keys;
  if (!KeyScan{line}.run(keys))
    return core::Error{core::Errc::Invalid, "nested too deep, expected at most 32 levels"};
  return keys;
}
}  // namespace polluxd
