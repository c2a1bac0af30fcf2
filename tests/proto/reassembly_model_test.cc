// SPDX-License-Identifier: BSD-3-Clause
// The table against a naive one: random cuts, orders, duplicates, overlaps, contradictions and
// pauses of many datagrams at once.
#include <map>
#include <random>

#include "tests/proto/reassembly_lab.hh"

namespace {
using namespace test;

struct Part {
  std::size_t offset, length;
  bool more;
  std::uint8_t ecn;
  [[nodiscard]] std::size_t end() const { return offset + length; }
};

/// The rules as sentences, over all parts that have come.
class NaiveDatagram {
public:
  std::uint64_t born_us = 0;
  std::string dead;  ///< the reason, where it is given up
  std::vector<Part> parts;

  /// @return the reason of the drop; empty: kept.
  std::string add(const Part& p) {
    if (!dead.empty()) return dead;
    for (const Part& q : parts) {
      const bool ends_differ = !p.more && !q.more && p.end() != q.end();
      const bool behind_end =
          (p.more && !q.more && p.end() >= q.end()) || (q.more && !p.more && q.end() >= p.end());
      if (ends_differ || behind_end) return dead = "FragmentBadEnd";
    }
    for (const Part& q : parts)
      if (p.offset == q.offset && p.length == q.length) return "FragmentDuplicate";
    for (const Part& q : parts)
      if (p.offset < q.end() && q.offset < p.end()) return dead = "FragmentOverlap";
    parts.push_back(p);
    return {};
  }
  [[nodiscard]] bool whole() const {
    std::size_t sum = 0, end = 0;
    for (const Part& p : parts) {
      sum += p.length;
      if (!p.more) end = p.end();
    }
    return end != 0 && sum == end;
  }
  /// The ECN field of the whole, or -1.
  [[nodiscard]] int ecn() const {
    int ce = 0, without = 0, first = 0;
    for (const Part& p : parts) {
      ce += p.ecn == 3;
      without += p.ecn == 0;
      if (p.offset == 0) first = p.ecn;
    }
    if (without != 0 && static_cast<std::size_t>(without) != parts.size()) return -1;
    return ce != 0 ? 3 : first;
  }
};

class ReassemblyModel : public ReassemblyLab {
protected:
  static constexpr std::size_t kDatagrams = 24;
  using Random = std::mt19937;

  std::size_t below(std::size_t n) { return random() % n; }
  static bool is_ip6(std::size_t d) { return d % 2 != 0; }
  /// Each has content of its own.
  static Packet content(std::size_t d, std::size_t size) {
    Packet p(size);
    for (std::size_t i = 0; i < size; ++i) p[i] = static_cast<std::uint8_t>(i * 7 + i / 256 + d);
    return p;
  }
  /// Some share a source, some only differ in their Identification.
  static Packet packet4(std::size_t d, std::uint8_t ecn, const Part* p, PacketBytes data) {
    Ip4 f{.tos = ecn,
          .id = static_cast<std::uint16_t>(d / 4),
          .src = 0x0a000001 + static_cast<std::uint32_t>(d % 4)};
    if (p != nullptr) {
      f.fragment_offset = static_cast<std::uint16_t>(p->offset);
      f.more_fragments = p->more;
    }
    return ip4(f, data);
  }
  static Packet packet6(std::size_t d, std::uint8_t ecn, const Part* p, PacketBytes data) {
    Plain6 f{.traffic_class = ecn, .src = {static_cast<std::uint8_t>(1 + d % 4)}};
    if (p == nullptr) return plain6(f, data);
    f.next_header = 44;
    return plain6(
        f,
        ip6_fragment(
            {.offset = p->offset, .more = p->more, .id = static_cast<std::uint32_t>(d / 4)}, data));
  }

  /// A part of datagram `d`: mostly one of its plan, at times anything.
  Part choose(std::size_t d) {
    const std::vector<Part>& plan = plans[d];
    Part p = plan[below(plan.size())];
    if (below(100) < 3) {
      p.offset = 8 * below(40);
      p.length = 8 * (1 + below(20));
      p.more = below(4) != 0;
    }
    if (p.offset == 0 && !p.more) p.more = true;  // that were no fragment
    if (p.more) p.length = (p.length + 7) / 8 * 8;
    return p;
  }
  std::vector<Part> make_plan() {
    std::vector<Part> plan;
    const std::size_t pieces = 2 + below(12);
    const bool ecn = below(3) != 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
      const bool more = i + 1 < pieces;
      const std::size_t length = more ? 8 * (1 + below(60)) : 1 + below(400);
      auto mark = static_cast<std::uint8_t>(ecn ? 2 + (below(8) == 0 ? 1 : 0) : 0);
      if (below(100) == 0) mark = 0;
      plan.push_back({at, length, more, mark});
      at += length;
    }
    return plan;
  }

  void arrive(std::size_t d, const Part& p) {
    const Packet data = content(d, p.end());
    const PacketBytes bytes = PacketBytes{data}.subspan(p.offset);
    const auto got =
        is_ip6(d) ? put6(packet6(d, p.ecn, &p, bytes)) : put4(packet4(d, p.ecn, &p, bytes));
    auto [at, fresh] = model.try_emplace(d);
    NaiveDatagram& n = at->second;
    if (fresh) n.born_us = w.now_us;
    if (const std::string why = n.add(p); !why.empty()) {
      ++expected_drops[why];
      if (!n.dead.empty()) {
        if (!n.parts.empty()) expected_drops[why] += n.parts.size();
        n.parts.clear();
      }
    }
    std::vector<Packet> expected;
    if (n.dead.empty() && n.whole()) {
      std::size_t size = 0;
      for (const Part& q : n.parts) size = std::max(size, q.end());
      if (n.ecn() < 0) {
        expected_drops["FragmentBadEcn"] += n.parts.size();
      } else {
        const auto ecn = static_cast<std::uint8_t>(n.ecn());
        const Packet all = content(d, size);
        expected.push_back(is_ip6(d) ? packet6(d, ecn, nullptr, all)
                                     : packet4(d, ecn, nullptr, all));
        ++whole;
      }
      model.erase(d);
      plans[d] = make_plan();
    }
    ASSERT_EQ(got, expected);
  }
  void wait(std::uint64_t us) {
    for (int i = 0; i < 2; ++i) pass(i == 0 ? us : 0);
    for (auto at = model.begin(); at != model.end();) {
      const std::uint64_t ttl = is_ip6(at->first) ? limits.ip6_ttl_us : limits.ip4_ttl_us;
      if (w.now_us - at->second.born_us < ttl) {
        ++at;
        continue;
      }
      if (!at->second.parts.empty()) expected_drops["FragmentTimeout"] += at->second.parts.size();
      for (const Part& p : at->second.parts) told_late += p.offset == 0;
      at = model.erase(at);
    }
  }

  Random random{20240229};
  std::map<std::size_t, NaiveDatagram> model;
  std::array<std::vector<Part>, kDatagrams> plans;
  Drops expected_drops;
  std::size_t whole = 0, told_late = 0;
};

TEST_F(ReassemblyModel, TheSameAsTheNaiveOne) {
  for (auto& plan : plans) plan = make_plan();
  for (int step = 0; step < 60'000; ++step) {
    const std::size_t d = below(kDatagrams);
    ASSERT_NO_FATAL_FAILURE(arrive(d, choose(d))) << "step " << step;
    if (below(50) == 0) wait(below(4'000'000));
    std::size_t held = 0;
    for (const auto& [key, n] : model) held += n.parts.size();
    ASSERT_EQ(r.held(), held) << "step " << step;
    ASSERT_EQ(drops(), expected_drops) << "step " << step;
    ASSERT_EQ(pool.in_use(), held);
  }
  EXPECT_EQ(late.size(), told_late);
  EXPECT_GT(whole, 500u) << "the test tries something";
  EXPECT_EQ(expected_drops.size(), 5u) << "each reason came up";
}
}  // namespace
