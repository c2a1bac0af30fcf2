// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// A network namespace of the program's own, with a pair of veth devices in it: the driver has one
/// end, the test plays the host at the other.
///
///     driver -- plx0 ==== plx1 -- RawSocket
namespace lab {
using Frame = std::vector<std::uint8_t>;

/// Moves the program to an empty network namespace, which goes when the program ends, however it
/// ends. @return false without the right to.
bool enter_own_namespace();

/// A pair of veth devices, plx1 up, plx0 down.
class VethPair {
public:
  explicit VethPair(unsigned mtu = 1500);
  VethPair(const VethPair&) = delete;
  VethPair& operator=(const VethPair&) = delete;
  ~VethPair();
};

[[nodiscard]] bool is_up(const std::string& interface);
[[nodiscard]] unsigned mtu_of(const std::string& interface);

/// A frame with the EtherType for local experiments, told apart by `number`.
[[nodiscard]] Frame frame(std::uint32_t number, std::size_t length);

/// Sends and receives such frames on an interface of the kernel.
class RawSocket {
public:
  explicit RawSocket(const std::string& interface);
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;
  ~RawSocket();
  [[nodiscard]] bool send(const Frame& f) const;
  /// @return a frame, or nothing when none came in a while.
  [[nodiscard]] std::optional<Frame> receive(
      std::chrono::milliseconds patience = std::chrono::seconds{5}) const;

private:
  int fd_;
};

/// Open descriptors of this process, by what they are: "socket", "anon_inode:bpf-map", a path.
[[nodiscard]] std::map<std::string, unsigned> descriptors();
}  // namespace lab
