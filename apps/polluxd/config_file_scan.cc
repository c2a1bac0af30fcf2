// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_file_scan.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace polluxd {
namespace {
[[noreturn]] void fail(const std::string& path, std::string_view text, std::size_t at,
                       std::string_view what) {
  const std::string_view before = text.substr(0, at);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  throw ConfigError{fmt::format("{}:{}:{}: {}", path, line, at - start + 1, what)};
}

/// Bytes of the well-formed character at the front (RFC 3629 section 4); 0: it is none.
/// @pre not empty
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                             : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  // No overlong forms, no surrogates, nothing beyond U+10FFFF: the second byte's range says so.
  const std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  return length;
}

void check_utf8(const std::string& path, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) fail(path, text, at, "not valid TOML: the text is not UTF-8 here");
    at += length;
  }
}

/// Walks through a TOML text far enough to know what is outside of strings and comments.
class NestingScan {
public:
  NestingScan(const std::string& path, std::string_view text) : path_{path}, text_{text} {}
  void run() {
    while (at_ < text_.size()) step();
  }

private:
  // The parser recurses per bracket and per part of a dotted key.
  static constexpr std::size_t kMaxDepth = 32, kMaxDots = 64;

  void step() {
    const char c = text_[at_];
    if (c == '"' || c == '\'') return skip_string(c);
    if (c == '#') return skip_comment();
    if (c == '\n') dots_ = 0;
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    if (c == '.') ++dots_;
    if (depth_ > kMaxDepth) too_deep("brackets are nested deeper than 32");
    if (dots_ > kMaxDots) too_deep("a key has more than 64 parts");
    ++at_;
  }
  void skip_comment() { at_ = std::min(text_.find('\n', at_), text_.size()); }
  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool multi = text_.substr(at_).starts_with(three);
    const std::string_view end =
        multi ? std::string_view{three} : std::string_view{three}.substr(2);
    at_ += end.size();
    while (at_ < text_.size() && !text_.substr(at_).starts_with(end)) {
      if (text_[at_] == '\n' && !multi) return;  // the parser says so better
      if (text_[at_] == '\\' && quote == '"') ++at_;
      ++at_;
    }
    at_ += end.size();
    // One or two quotes may stand before the three that close (TOML 1.0, multi-line strings).
    for (int i = 0; i < 2 && multi && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;
  }
  [[noreturn]] void too_deep(std::string_view what) const { fail(path_, text_, at_, what); }

  const std::string& path_;
  std::string_view text_;
  std::size_t at_ = 0, depth_ = 0, dots_ = 0;
};
}  // namespace

void check_text(const std::string& path, std::string_view text) {
  check_utf8(path, text);
  NestingScan{path, text}.run();
}
}  // namespace polluxd
