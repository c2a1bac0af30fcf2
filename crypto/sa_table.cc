// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/sa_table.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include "crypto/sa_slot.hh"

namespace crypto {
namespace {
constexpr std::uint32_t kLowestSpi = 256;  // RFC 4303 section 2.1: 1 to 255 are IANA's, 0 is local

core::Error error(core::Errc code, std::string context) {
  return {code, std::move(context)};
}

/// In a time that does not depend on where they differ.
bool same_bytes(const void* a, const void* b, std::size_t n) noexcept {
  const auto* left = static_cast<const volatile std::uint8_t*>(a);
  const auto* right = static_cast<const volatile std::uint8_t*>(b);
  unsigned differs = 0;
  for (std::size_t i = 0; i < n; ++i) differs |= static_cast<unsigned>(left[i] ^ right[i]);
  return differs == 0;
}

/// Prepares the header that esp_output() completes per packet.
void write_outer(Sa& sa) {
  const proto::MutBytes outer{sa.outer};
  // DF set, so the Identification has no meaning and is 0 (RFC 6864 section 4.1).
  proto::emit({.dont_fragment = true,
               .ttl = 64,
               .protocol = proto::kProtocolEsp,
               .src = sa.src,
               .dst = sa.dst},
              outer);
  proto::store_be16(outer, 2, 0);
  proto::store_be16(outer, 10, 0);
  sa.outer_sum = proto::fold_checksum(proto::sum_words(outer));
}
}  // namespace

core::Expected<std::unique_ptr<SaTable>> SaTable::create(std::size_t capacity, core::Rcu& rcu) {
  if (capacity < 1 || capacity >= kNoSa)
    return error(core::Errc::Invalid,
                 fmt::format("{} security associations, expected 1 to {}", capacity, kNoSa - 1));
  auto memory = LockedMemory::map(capacity * sizeof(Sa));
  if (!memory) return memory.error();
  try {
    return std::unique_ptr<SaTable>{new SaTable{capacity, rcu, std::move(*memory)}};
  } catch (const std::bad_alloc&) {
    return error(core::Errc::Full, fmt::format("no memory for {} security associations", capacity));
  } catch (const std::runtime_error& e) { return error(core::Errc::Full, e.what()); }
}

SaTable::SaTable(std::size_t capacity, core::Rcu& rcu, LockedMemory memory)
    : rcu_{rcu},
      memory_{std::move(memory)},
      slots_{static_cast<Sa*>(memory_.data())},
      index_{capacity},
      engine_{std::make_unique<MbEngine>()},
      names_(capacity),
      used_(capacity),
      parked_(capacity) {
  free_.reserve(capacity);
  for (std::size_t id = capacity; id-- > 0;) free_.push_back(static_cast<SaId>(id));
}

SaTable::~SaTable() {
  for (std::size_t id = 0; id < capacity(); ++id)
    if (used_[id]) std::destroy_at(&slots_[id]);
}

core::Expected<> SaTable::judge(const SaSpec& spec) const {
  if (spec.spi < kLowestSpi)
    return error(core::Errc::Invalid, fmt::format("SPI {} is reserved, expected {} to 4294967295",
                                                  spec.spi, kLowestSpi));
  if (spec.key.bytes().size() != keymat_size(spec.algorithm))
    return error(core::Errc::Invalid,
                 fmt::format("{} takes {} bytes (key and 4 bytes of salt), the key has {}",
                             to_string(spec.algorithm), keymat_size(spec.algorithm),
                             spec.key.bytes().size()));
  if (spec.replay_window > ReplayWindow::kMaxSize)
    return error(core::Errc::Invalid, fmt::format("replay window of {} packets, expected 0 to {}",
                                                  spec.replay_window, ReplayWindow::kMaxSize));
  if (spec.direction == Direction::In && index_.find(spec.spi) != kNoSa)
    return error(core::Errc::Exists, fmt::format("inbound SPI 0x{:08x} is taken", spec.spi));
  if (free_.empty())
    return error(core::Errc::Full,
                 fmt::format("all {} security associations are in use (limits.sas)", capacity()));
  return core::Done{};
}

/// Later than every SA of this table and, as the clock goes, of those before this process.
std::uint64_t SaTable::next_birth() noexcept {
  const auto now = static_cast<std::uint32_t>(std::time(nullptr));
  last_birth_ = std::max<std::uint64_t>(now, last_birth_ + 1);
  return last_birth_ << 32;
}

void SaTable::write(Sa& sa, const SaSpec& spec) {
  const auto key = spec.key.bytes();
  sa.spi = spec.spi;
  sa.algorithm = spec.algorithm;
  sa.direction = spec.direction;
  sa.birth = next_birth();
  sa.sequence.store(sa.birth, std::memory_order_relaxed);
  std::memcpy(&sa.salt, key.last(kSaltSize).data(), kSaltSize);
  engine_->expand(spec.algorithm, key.first(key_size(spec.algorithm)), sa.key);
  write_outer(sa);
}

core::Expected<SaId> SaTable::add(const SaSpec& spec, std::uint16_t tunnel, std::uint32_t src,
                                  std::uint32_t dst) {
  if (const auto verdict = judge(spec); !verdict) return verdict.error();
  const SaId id = free_.back();
  try {
    names_[id] = spec.tunnel;
    new (&slots_[id]) Sa{spec.direction == Direction::In ? spec.replay_window : 0};
  } catch (const std::bad_alloc&) {
    return error(core::Errc::Full, "no memory for the replay window");
  }
  Sa& sa = slots_[id];
  sa.id = id;
  sa.tunnel = tunnel;
  sa.src = src;
  sa.dst = dst;
  write(sa, spec);
  free_.pop_back();
  used_[id] = true;
  if (spec.direction == Direction::In) index_.insert(spec.spi, id);
  return id;
}

core::Expected<> SaTable::remove(SaId id) {
  if (id >= capacity() || !used_[id])
    return error(core::Errc::NotFound, fmt::format("no security association {}", id));
  Sa& sa = slots_[id];
  if (!parked_[id]) (void)park(id);
  std::destroy_at(&sa);
  wipe(&sa, sizeof sa);
  names_[id].clear();
  used_[id] = parked_[id] = false;
  free_.push_back(id);
  return core::Done{};
}

core::Expected<> SaTable::park(SaId id) {
  if (id >= capacity() || !used_[id] || parked_[id])
    return error(core::Errc::NotFound, fmt::format("no security association {}", id));
  if (slots_[id].direction == Direction::In) index_.erase(slots_[id].spi);
  rcu_.grace_period();
  parked_[id] = true;
  return core::Done{};
}

core::Expected<> SaTable::unpark(SaId id, std::uint16_t tunnel, std::uint32_t src,
                                 std::uint32_t dst) {
  if (id >= capacity() || !parked_[id])
    return error(core::Errc::NotFound, fmt::format("no parked security association {}", id));
  Sa& sa = slots_[id];
  if (sa.direction == Direction::In && index_.find(sa.spi) != kNoSa)
    return error(core::Errc::Exists, fmt::format("inbound SPI 0x{:08x} is taken", sa.spi));
  sa.tunnel = tunnel;
  sa.src = src;
  sa.dst = dst;
  write_outer(sa);
  parked_[id] = false;
  if (sa.direction == Direction::In) index_.insert(sa.spi, id);
  return core::Done{};
}

bool SaTable::has_key(SaId id, const Secret& key) const {
  const Sa& sa = slots_[id];
  const auto bytes = key.bytes();
  if (bytes.size() != keymat_size(sa.algorithm)) return false;
  const auto memory = LockedMemory::map(sizeof(GcmKey));
  if (!memory) return false;
  // Pages are zero at first, as the slot was: what the library leaves alone is equal.
  auto& expanded = *new (memory->data()) GcmKey{};
  engine_->expand(sa.algorithm, bytes.first(key_size(sa.algorithm)), expanded);
  const void *a = &expanded.data.expanded_keys, *b = &sa.key.data.expanded_keys;
  const bool same_salt = same_bytes(bytes.last(kSaltSize).data(), &sa.salt, kSaltSize);
  return same_bytes(a, b, sizeof expanded.data.expanded_keys) && same_salt;
}

/// The first round keys of AES are the key itself (FIPS 197 section 5.2).
core::Expected<Secret> SaTable::key(SaId id) const {
  if (id >= capacity() || !used_[id])
    return error(core::Errc::NotFound, fmt::format("no security association {}", id));
  const Sa& sa = slots_[id];
  const std::size_t size = key_size(sa.algorithm);
  const auto memory = LockedMemory::map(size + kSaltSize);
  if (!memory) return memory.error();
  auto* keymat = static_cast<std::uint8_t*>(memory->data());
  std::memcpy(keymat, &sa.key.data.expanded_keys, size);
  std::memcpy(keymat + size, &sa.salt, kSaltSize);
  auto secret = Secret::from_bytes({keymat, size + kSaltSize});
  if (secret && !has_key(id, *secret))
    return error(core::Errc::Unsupported, "the library keeps keys in a form of its own");
  return secret;
}

SaInfo SaTable::describe(SaId id) const {
  const Sa& sa = slots_[id];
  SaInfo info{.id = id,
              .tunnel = names_[id],
              .direction = sa.direction,
              .spi = sa.spi,
              .src = sa.src,
              .dst = sa.dst,
              .algorithm = sa.algorithm,
              .replay_window = sa.replay.size(),
              .sequence = sa.replay.highest()};
  if (sa.direction == Direction::Out)
    info.sequence =
        std::min<std::uint64_t>(sa.sequence.load(std::memory_order_relaxed) - sa.birth, 0xffffffff);
  return info;
}

std::vector<SaInfo> SaTable::list() const {
  std::vector<SaInfo> all;
  for (std::size_t id = 0; id < capacity(); ++id)
    if (used_[id] && !parked_[id]) all.push_back(describe(static_cast<SaId>(id)));
  return all;
}
}  // namespace crypto
