// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.hh"
#include "core/observation.hh"
#include "core/wall_clock.hh"

namespace polluxd {
/// Names a running trace or capture; never used again.
using ObserverId = std::uint32_t;

/// One step of a packet's way.
struct TraceStep {
  std::int64_t at_ns = 0;  ///< since 1970
  std::uint16_t worker = 0;
  std::string interface;  ///< of record.interface; empty: none
  core::TraceRecord record;
};
struct TraceSpec {
  static constexpr std::uint32_t kMaxCount = 1'000'000;
  std::uint32_t count = 10;  ///< packets, 1 to kMaxCount
  std::string filter = {};   ///< pcap-filter(7); empty: all
};
/// Where a trace goes. Called from Manager::poll(); must not call the manager but stop_observer().
struct TraceSink {
  /// A packet whose way has ended, or is not known any further.
  std::function<void(std::span<const TraceStep>)> packet;
  /// The last call. @param lost  steps that were not recorded, because rings were full.
  std::function<void(std::uint64_t lost)> end;
};

struct CapturedPacket {
  std::int64_t at_ns = 0;
  std::string_view interface;                 ///< empty: none
  core::Layer layer = core::Layer::Ethernet;  ///< Ethernet, Ip or Unknown
  core::Direction direction = core::Direction::None;
  std::optional<core::DropReason> dropped;
  std::uint32_t length = 0;  ///< bytes of the packet
  std::span<const std::uint8_t> bytes;
};
struct CaptureSpec {
  static constexpr std::uint32_t kMaxSnaplen = 65535;
  std::vector<std::string> interfaces = {};  ///< both directions
  bool drops = false;                        ///< what is dropped, wherever
  bool ipsec = false;                   ///< clear text on all tunnels, ESP on all other interfaces
  std::uint32_t snaplen = kMaxSnaplen;  ///< bytes, 1 to kMaxSnaplen
  std::uint64_t count = 0;              ///< packets after which it ends; 0: it does not
  std::string filter = {};              ///< pcap-filter(7); empty: all
};
struct CaptureTotals {
  std::string interface = {};  ///< empty: none
  core::Layer layer = core::Layer::Ethernet;
  std::uint64_t received = 0;  ///< packets that were to be captured
  std::uint64_t lost = 0;      ///< those of them that the sink did not get
};
/// As TraceSink.
struct CaptureSink {
  /// The first call.
  std::function<void()> begin;
  /// @return false: it cannot take the packet, which then counts as lost.
  std::function<bool(const CapturedPacket&)> packet;
  std::function<void(std::span<const CaptureTotals>)> end;
};

/// Traces and captures that run. Makes the Observation that is published, drains what the workers
/// write. Manager thread.
class Observers {
public:
  static constexpr std::size_t kMaxCaptures = 4;

  /// @param workers, interfaces  how many there are at most.
  Observers(std::size_t workers, std::size_t interfaces) : workers_{workers}, known_(interfaces) {}

  /// They do nothing before the next publication. @return Invalid (filter, snaplen, count, nothing
  /// to capture) | NotFound (interface) | Full (as many run as may) | Unsupported (no room in the
  /// mbuf for a mark).
  core::Expected<ObserverId> add_trace(const TraceSpec& spec, TraceSink sink);
  core::Expected<ObserverId> add_capture(const CaptureSpec& spec, CaptureSink sink,
                                         const core::InterfaceTable& interfaces);
  /// It ends in the next poll(). Nothing if it has ended.
  void stop(ObserverId id) noexcept;

  /// What is to be published with these interfaces; null: nothing is watched.
  std::shared_ptr<const core::Observation> observation(const core::InterfaceTable& interfaces);

  /// Takes what has been recorded. `publish` publishes observation() and waits for its grace
  /// period. @return whether there was anything.
  bool poll(std::uint64_t now_us, const std::function<void()>& publish);

private:
  struct TraceSession;
  struct CaptureSession;
  core::Expected<> reserve_mark();
  bool drain(TraceSession& t, std::uint64_t now_us, bool last);
  bool drain(CaptureSession& c, std::size_t budget);
  bool take_next(CaptureSession& c, std::uint64_t until);
  void give(CaptureSession& c, const core::CaptureHeader& h, std::span<const std::uint8_t> bytes);
  void finish(CaptureSession& c);
  [[nodiscard]] std::string_view name_of(core::InterfaceId id) const;

  /// What is remembered of an interface, so that packets of one that has gone still have a name.
  struct Known {
    std::string name;
    bool tunnel = false;
  };
  std::size_t workers_;
  std::vector<Known> known_;  ///< by InterfaceId
  core::WallClock clock_;
  int mark_offset_ = -1;
  std::uint32_t epoch_ = 0;
  std::uint16_t last_trace_ = 0;
  ObserverId last_id_ = 0;
  bool changed_ = false;
  std::shared_ptr<const core::Observation> current_;
  std::list<std::shared_ptr<TraceSession>> traces_;
  std::list<std::shared_ptr<CaptureSession>> captures_;
};
}  // namespace polluxd
