// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/driver.hh"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <new>
#include <span>
#include <thread>

namespace pmd {
std::string Request::text(std::string_view option) const {
  for (const pollux_option_value& v : std::span{r_.options, r_.n_options})
    if (option == v.name) return v.value;
  return {};
}

std::uint32_t Request::number(std::string_view option) const {
  const std::string value = text(option);
  std::uint32_t n = 0;
  std::from_chars(value.data(), value.data() + value.size(), n);
  return n;
}

namespace {
int refuse(const Failure& why, char* error, std::size_t error_size) noexcept {
  if (error_size > 0) error[why.text.copy(error, error_size - 1)] = '\0';
  return why.error > 0 ? -why.error : -EIO;
}
/// Everything anew at each try: a failed one has taken all down.
Outcome<std::unique_ptr<Ethdev>> try_open(Plan plan, const Request& request) {
  using namespace std::chrono_literals;
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    auto spec = plan(request);
    if (!spec) return spec.error();
    const auto patience = spec->patience;
    auto dev = Ethdev::open(std::move(*spec));
    if (dev || std::chrono::steady_clock::now() - begin >= patience) return dev;
    std::this_thread::sleep_for(20ms);
  }
}
}  // namespace

int open(Plan plan, const pollux_port_request* request, pollux_port* out, char* error,
         std::size_t error_size) noexcept {
  try {
    auto dev = try_open(plan, Request{*request});
    if (!dev) return refuse(dev.error(), error, error_size);
    *out = {};
    (*dev)->describe(*out);
    out->port = dev->release();
    return 0;
  } catch (const std::exception& e) {
    // Exceptions end here: the caller may be built by another compiler.
    if (error_size > 0) {
      const std::string_view what = e.what();
      error[what.copy(error, error_size - 1)] = '\0';
    }
    return -ENOMEM;
  }
}
}  // namespace pmd
