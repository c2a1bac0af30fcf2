// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Private to driver_registry.cc and open_port.cc.
#include <dlfcn.h>

#include <span>
#include <string>
#include <utility>

#include "apps/polluxd/driver_registry.hh"

namespace polluxd {
class Driver {
public:
  /// @param object  of dlopen(), ours to close; null: built in.
  Driver(void* object, std::string file, const pollux_driver& entry) noexcept
      : object_{object}, file_{std::move(file)}, entry_{entry} {}
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() {
    if (object_ != nullptr) dlclose(object_);
  }

  [[nodiscard]] bool built_in() const noexcept { return object_ == nullptr; }
  [[nodiscard]] bool resident() const noexcept {
    return (entry_.flags & POLLUX_DRIVER_RESIDENT) != 0;
  }
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

  [[nodiscard]] const pollux_driver& entry() const noexcept { return entry_; }
  [[nodiscard]] std::span<const pollux_option> options() const noexcept {
    return {entry_.options, entry_.n_options};
  }

private:
  void* object_;
  std::string file_;
  const pollux_driver& entry_;
};
}  // namespace polluxd
