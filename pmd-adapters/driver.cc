// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/driver.hh"

#include <fmt/format.h>
#include <rte_ether.h>

#include <algorithm>
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

Outcome<bool> Request::yes_or_no(std::string_view option) const {
  const std::string value = text(option);
  if (value != "yes" && value != "no")
    return Failure{EINVAL, fmt::format("{} \"{}\" is neither yes nor no", option, value)};
  return value == "yes";
}

Outcome<std::string> mac_argument(const Request& r) {
  const std::string mac = r.text("mac");
  rte_ether_addr address{};
  if (mac.empty()) return std::string{};
  if (rte_ether_unformat_addr(mac.c_str(), &address) != 0 ||
      !rte_is_valid_assigned_ether_addr(&address))
    return Failure{EINVAL, fmt::format("mac \"{}\" is not a unicast address", mac)};
  return ",mac=" + mac;
}

Outcome<std::uint16_t> queues_option(const Request& r, std::uint16_t most) {
  const std::uint32_t asked = r.number("queues");
  if (asked > most) return Failure{EINVAL, fmt::format("queues {}: at most {}", asked, most)};
  return asked == 0 ? std::min(r.queues(), most) : static_cast<std::uint16_t>(asked);
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
