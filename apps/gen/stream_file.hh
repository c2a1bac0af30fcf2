// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <vector>

#include "apps/gen/plan.hh"
#include "core/error.hh"

namespace gen {
/// A device named on the command line, as given, and the name in it.
struct GivenDevice {
  std::string text;  ///< "memif,socket=@a,name=left"
  std::string name;  ///< "left"; empty: none
};

/// Reads the text of a stream file. docs/gen.md has every key.
/// @param file     its name, for the errors.
/// @param devices  of the command line: a [[port]] without "device" takes the one of its name, one
///                 that has no [[port]] is a port without addresses.
/// @return the plan | Invalid: "FILE:LINE:COLUMN: what is wrong, what was expected".
core::Expected<Plan> parse_streams(const std::string& file, const std::string& text,
                                   const std::vector<GivenDevice>& devices);
/// The same for a file.
core::Expected<Plan> read_streams(const std::string& file, const std::vector<GivenDevice>& devices);
/// A plan of ports alone.
Plan ports_only(const std::vector<GivenDevice>& devices);
}  // namespace gen
