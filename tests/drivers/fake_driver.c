/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver without a device: open() tells what it was asked for, as an error. */
#include <errno.h>
#include <stdio.h>

#include "core/driver.h"

#ifndef FAKE_ABI
#define FAKE_ABI POLLUX_DRIVER_ABI
#endif

static const struct pollux_option options[] = {
    {"device", POLLUX_OPTION_STRING, NULL, "what to open"},
    {"size", POLLUX_OPTION_UINT, "7", "how large"},
    {"note", POLLUX_OPTION_STRING, "", "anything"},
    {"rest", POLLUX_OPTION_REST, "", "all that follows"},
};

static int fake_open(const struct pollux_port_request *request, struct pollux_port *out,
                     char *error, size_t error_size) {
  size_t used = 0;
  (void)out;
  for (size_t i = 0; i < request->n_options && used < error_size; i++)
    used += (size_t)snprintf(error + used, error_size - used, "[%s=%s]", request->options[i].name,
                             request->options[i].value);
  return -EIO;
}

static const struct pollux_driver driver = {
    .abi = FAKE_ABI,
    .name = FAKE_NAME,
    .description = "a driver without a device",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .open = fake_open,
};

#ifdef FAKE_NO_ENTRY
extern const struct pollux_driver *const fake_driver;
const struct pollux_driver *const fake_driver = &driver;
#else
const struct pollux_driver *pollux_driver_entry(void) { return &driver; }
#endif
