// SPDX-License-Identifier: BSD-3-Clause
#include "proto/group_membership.hh"

#include <algorithm>

namespace proto {
namespace {
// RFC 3810 section 9, RFC 3376 section 8.
constexpr std::uint32_t kRobustness = 2;
constexpr std::uint32_t kUnsolicitedInterval_ms = 1000;
constexpr std::uint64_t kQueryInterval_us = 125'000'000;
}  // namespace

std::uint64_t GroupMembership::within_us(std::uint32_t ms) {
  std::uniform_int_distribution<std::uint64_t> any{0, std::uint64_t{ms} * 1000};
  return any(random_);
}

void GroupMembership::join(core::InterfaceId interface, const IpAddress& group,
                           std::uint64_t now_us) {
  next_us_ = 0;
  Group& g = links_[{interface, group.is_ip4()}].groups[group];
  if (g.joined && g.to_say != 0) return;
  g = {.joined = true, .to_say = kRobustness, .say_us = now_us};
}

void GroupMembership::leave(core::InterfaceId interface, const IpAddress& group,
                            std::uint64_t now_us) {
  next_us_ = 0;
  auto& groups = links_[{interface, group.is_ip4()}].groups;
  const auto at = groups.find(group);
  if (at == groups.end() || !at->second.joined) return;
  at->second = {.joined = false, .to_say = kRobustness, .say_us = now_us};
}

void GroupMembership::link_up(core::InterfaceId interface, std::uint64_t now_us) {
  next_us_ = 0;
  for (const bool ip4 : {false, true}) {
    const auto at = links_.find({interface, ip4});
    if (at == links_.end()) continue;
    Link& link = at->second;
    std::erase_if(link.groups, [](const auto& g) { return !g.second.joined; });
    for (auto& [address, group] : link.groups)
      group = {.joined = true, .to_say = kRobustness, .say_us = now_us};
    link.answer_us = link.old_until_us = link.oldest_until_us = 0;
  }
}

void GroupMembership::forget(core::InterfaceId interface) {
  links_.erase({interface, false});
  links_.erase({interface, true});
}

GroupMembership::Version GroupMembership::version(core::InterfaceId interface, bool ip4) const {
  const auto at = links_.find({interface, ip4});
  if (at == links_.end()) return Version::Latest;
  if (at->second.oldest_until_us != 0) return Version::Oldest;
  return at->second.old_until_us != 0 ? Version::Old : Version::Latest;
}

/// RFC 3810 section 6.2, RFC 3376 section 5.2.
void GroupMembership::queried(core::InterfaceId interface, const Query& q, std::uint64_t now_us) {
  next_us_ = 0;
  Link& link = links_[{interface, q.ip4}];
  if (q.version != Version::Latest) {
    // "Older Version Querier Present Timeout" (RFC 3810 section 9.12).
    const std::uint64_t until =
        now_us + kRobustness * kQueryInterval_us + std::uint64_t{q.max_response_ms} * 1000;
    (q.version == Version::Old ? link.old_until_us : link.oldest_until_us) = until;
  }
  const std::uint64_t at_us = std::max<std::uint64_t>(1, now_us + within_us(q.max_response_ms));
  if (link.answer_us != 0 && link.answer_us <= at_us) return;  // that answer says it all
  if (q.group.is_unspecified()) {
    link.answer_us = at_us;
    return;
  }
  const auto at = link.groups.find(q.group);
  if (at == link.groups.end() || !at->second.joined) return;
  Group& group = at->second;
  if (group.answer_us == 0 || at_us < group.answer_us) group.answer_us = at_us;
}

void GroupMembership::poll(std::uint64_t now_us) {
  if (now_us < next_us_) return;  // of thousands of groups hardly one ever has anything to say
  next_us_ = UINT64_MAX;
  for (auto& [key, link] : links_) {
    poll(key, link, now_us);
    look_again(link);
  }
}

/// When the link has something to say next.
void GroupMembership::look_again(const Link& link) {
  const auto at = [&](std::uint64_t us) {
    if (us != 0) next_us_ = std::min(next_us_, us);
  };
  for (const std::uint64_t us : {link.answer_us, link.old_until_us, link.oldest_until_us}) at(us);
  for (const auto& [address, group] : link.groups) {
    at(group.answer_us);
    if (group.to_say != 0) next_us_ = std::min(next_us_, group.say_us);
  }
}

void GroupMembership::poll(const Key& key, Link& link, std::uint64_t now_us) {
  for (std::uint64_t* until : {&link.old_until_us, &link.oldest_until_us})
    if (*until != 0 && now_us >= *until) *until = 0;
  using Type = GroupRecord::Type;
  std::vector<GroupRecord> state, changes;
  const bool answer_all = link.answer_us != 0 && now_us >= link.answer_us;
  if (answer_all) link.answer_us = 0;
  for (auto at = link.groups.begin(); at != link.groups.end();) {
    const auto here = at++;
    Group& g = here->second;
    const bool asked = g.answer_us != 0 && now_us >= g.answer_us;
    if (g.joined && (answer_all || asked)) {
      state.push_back({Type::IsExclude, here->first});
      g.answer_us = 0;
    }
    if (g.to_say == 0 || now_us < g.say_us) continue;
    changes.push_back({g.joined ? Type::ToExclude : Type::ToInclude, here->first});
    g.say_us = now_us + within_us(kUnsolicitedInterval_ms);
    if (--g.to_say == 0 && !g.joined) link.groups.erase(here);
  }
  const Version version = this->version(key.first, key.second);
  if (!changes.empty()) env_.report(key.first, version, changes);
  if (!state.empty()) env_.report(key.first, version, state);
}
}  // namespace proto
