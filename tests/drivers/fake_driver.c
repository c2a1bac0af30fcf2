/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver without a device: open() tells what it was asked for, as an error.
 *
 * FAKE_ABI, FAKE_FLAGS: what the driver says of itself. FAKE_NO_ENTRY: without the entry point.
 * FAKE_STARTS: open() takes what a device takes, and fails only then, and only where device=broken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/driver.h"

#ifndef FAKE_ABI
#define FAKE_ABI POLLUX_DRIVER_ABI
#endif
#ifndef FAKE_FLAGS
#define FAKE_FLAGS 0
#endif

static const struct pollux_option options[] = {
    {"device", POLLUX_OPTION_STRING, NULL, "what to open"},
    {"size", POLLUX_OPTION_UINT, "7", "how large"},
    {"note", POLLUX_OPTION_STRING, "", "anything"},
    {"rest", POLLUX_OPTION_REST, "", "all that follows"},
};

#ifdef FAKE_STARTS

struct fake {
  int fd;
};

static void fake_close(void* port) {
  struct fake* fake = port;
  close(fake->fd);
  free(fake);
}

/* Receives nothing, has never room to send. */
static uint16_t fake_burst(void* port, uint16_t queue, struct rte_mbuf** packets, uint16_t n) {
  (void)port, (void)queue, (void)packets, (void)n;
  return 0;
}

static int fake_link(void* port, struct pollux_link* out) {
  (void)port;
  *out = (struct pollux_link){.up = 1};
  return 0;
}

static int fake_set_mtu(void* port, uint16_t mtu) {
  (void)port, (void)mtu;
  return 0;
}

static int fake_stats(void* port, struct pollux_port_stats* out) {
  (void)port;
  *out = (struct pollux_port_stats){0};
  return 0;
}

static int fake_open(const struct pollux_port_request* request, struct pollux_port* out,
                     char* error, size_t error_size) {
  const char* device = request->options[0].value;
  struct fake* fake = malloc(sizeof *fake);
  if (fake == NULL) return -ENOMEM;
  fake->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  *out = (struct pollux_port){
      .port = fake,
      .rx = fake_burst,
      .tx = fake_burst,
      .mac = {2, 0, 0, 0, 0, 1},
      .mtu = 1500,
      .rx_queues = request->queues,
      .tx_queues = request->queues,
      .numa_node = -1,
  };
  snprintf(out->device, sizeof out->device, "%s", device);
  if (strcmp(device, "broken") != 0) return 0;
  fake_close(fake);
  snprintf(error, error_size, "%s does not start", device);
  return -EIO;
}
#else
static int fake_open(const struct pollux_port_request* request, struct pollux_port* out,
                     char* error, size_t error_size) {
  size_t used = 0;
  (void)out;
  for (size_t i = 0; i < request->n_options && used < error_size; i++)
    used += (size_t)snprintf(error + used, error_size - used, "[%s=%s]", request->options[i].name,
                             request->options[i].value);
  return -EIO;
}
#endif

static const struct pollux_driver driver = {
    .abi = FAKE_ABI,
    .flags = FAKE_FLAGS,
    .name = FAKE_NAME,
    .description = "a driver without a device",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .open = fake_open,
#ifdef FAKE_STARTS
    .close = fake_close,
    .link = fake_link,
    .set_mtu = fake_set_mtu,
    .stats = fake_stats,
#endif
};

#ifdef FAKE_NO_ENTRY
extern const struct pollux_driver* const fake_driver;
const struct pollux_driver* const fake_driver = &driver;
#else
const struct pollux_driver* pollux_driver_entry(void) {
  return &driver;
}
#endif
