// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "core/interface.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// What a host says about a multicast group (RFC 3810 section 5.2.12, RFC 3376 section 4.2.12). We
/// listen to a group whoever sends, so records have no sources.
struct GroupRecord {
  enum class Type : std::uint8_t {
    IsExclude = 2,  ///< we listen to it
    ToInclude = 3,  ///< no longer
    ToExclude = 4,  ///< from now on
  };
  Type type = Type::IsExclude;
  IpAddress group;  ///< not scoped
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

/// The listener's side of MLDv2 (RFC 3810) and IGMPv3 (RFC 3376), with what they do where a querier
/// of an older version is on the link. One state machine: the two protocols differ in their
/// messages only.
///
/// Manager thread; takes time as an argument. Addresses are not scoped.
class GroupMembership {
public:
  /// Which protocol a link speaks, after its oldest querier.
  enum class Version : std::uint8_t {
    Oldest = 1,  ///< IGMPv1: knows no leaving
    Old = 2,     ///< MLDv1, IGMPv2
    Latest = 3,  ///< MLDv2, IGMPv3
  };
  struct Env {
    /// Sends records of one family: in one report, or one message each in older versions.
    std::function<void(core::InterfaceId, Version, const std::vector<GroupRecord>&)> report;
  };
  struct Query {
    Version version = Version::Latest;
    bool ip4 = false;
    IpAddress group;  ///< unspecified: all groups
    std::uint32_t max_response_ms = 0;
  };
  explicit GroupMembership(Env env) : env_{std::move(env)}, random_{std::random_device{}()} {}

  /// @pre the group is not one that nobody reports: 224.0.0.1, ff02::1, and ff0x:: of a scope below
  /// the link's.
  void join(core::InterfaceId interface, const IpAddress& group, std::uint64_t now_us);
  void leave(core::InterfaceId interface, const IpAddress& group, std::uint64_t now_us);
  /// The link is new: what is listened to is said again.
  void link_up(core::InterfaceId interface, std::uint64_t now_us);
  /// The interface has gone.
  void forget(core::InterfaceId interface);
  void queried(core::InterfaceId interface, const Query& q, std::uint64_t now_us);
  void poll(std::uint64_t now_us);

  [[nodiscard]] Version version(core::InterfaceId interface, bool ip4) const;

private:
  struct Group {
    bool joined = true;        ///< false: it has been left, which is still to be said
    std::uint32_t to_say = 0;  ///< how often the last change is still said
    std::uint64_t say_us = 0;
    std::uint64_t answer_us = 0;  ///< when a query for the group is answered; 0: there is none
  };
  struct Link {
    std::map<IpAddress, Group> groups;
    std::uint64_t answer_us = 0;                          ///< to a general query; 0: there is none
    std::uint64_t old_until_us = 0, oldest_until_us = 0;  ///< older queriers are believed in
  };
  using Key = std::pair<core::InterfaceId, bool>;  ///< IPv4?

  [[nodiscard]] std::uint64_t within_us(std::uint32_t ms);
  void poll(const Key& key, Link& link, std::uint64_t now_us);
  void look_again(const Link& link);

  Env env_;
  std::map<Key, Link> links_;
  std::uint64_t next_us_ = 0;  ///< nothing is due before
  std::minstd_rand random_;
};
}  // namespace proto
