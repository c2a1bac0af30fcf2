// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "pmd-adapters/failure.hh"

namespace pmd {
/// Checks the path of a Unix socket. @param option  what it was given as, for the error.
/// @return done | ENOENT (not an absolute path in a folder that exists) | ENAMETOOLONG | EEXIST
/// (something else has the name).
Outcome<> check_socket_path(const std::string& option, const std::string& path);

/// Makes way for a server's socket: removes the file of one that ended without doing so, at which
/// nobody answers. One that lives sees a connection which is closed at once.
/// @param type  SOCK_STREAM or SOCK_SEQPACKET.  @return done | EADDRINUSE (somebody answers).
Outcome<> make_way_for_socket(const std::string& option, const std::string& path, int type);
}  // namespace pmd
