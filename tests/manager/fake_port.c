/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver whose device is there as long as a file is: for devices that go and come back, and for
 * those that fail to start. Receives nothing, swallows what is sent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "core/driver.h"

struct fake_port {
  char file[256];
};

static const struct pollux_option options[] = {
    {"file", POLLUX_OPTION_STRING, NULL, "the device is there while this file is"},
};

static uint16_t fake_rx(void *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n) {
  (void)port, (void)queue, (void)packets, (void)n;
  return 0;
}
static uint16_t fake_tx(void *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n) {
  (void)port, (void)queue;
  rte_pktmbuf_free_bulk(packets, n);
  return n;
}
static int fake_open(const struct pollux_port_request *request, struct pollux_port *out,
                     char *error, size_t error_size) {
  const char *file = request->options[0].value;
  struct fake_port *port;
  if (access(file, F_OK) != 0) {
    snprintf(error, error_size, "%s: not there", file);
    return -ENODEV;
  }
  port = calloc(1, sizeof *port);
  if (port == NULL) return -ENOMEM;
  snprintf(port->file, sizeof port->file, "%s", file);
  memset(out, 0, sizeof *out);
  out->port = port;
  out->rx = fake_rx;
  out->tx = fake_tx;
  out->mac[0] = 2;
  out->mac[5] = 0x55;
  out->mtu = request->mtu != 0 ? request->mtu : 1500;
  out->rx_queues = out->tx_queues = 1;
  out->capabilities = POLLUX_CAP_REMOVABLE;
  out->numa_node = -1;
  snprintf(out->device, sizeof out->device, "%s", strrchr(file, '/') + 1);
  return 0;
}
static void fake_close(void *port) { free(port); }
static int fake_link(void *port, struct pollux_link *out) {
  if (access(((struct fake_port *)port)->file, F_OK) != 0) return -ENODEV;
  out->up = 1;
  out->speed_mbps = 10;
  return 0;
}

static const struct pollux_driver driver = {
    .abi = POLLUX_DRIVER_ABI,
    .flags = FAKE_FLAGS,
    .name = FAKE_NAME,
    .description = "a device that is there while a file is",
    .version = "1",
    .options = options,
    .n_options = 1,
    .open = fake_open,
    .close = fake_close,
    .link = fake_link,
    .interface_prefix = "fk",
};

const struct pollux_driver *pollux_driver_entry(void) { return &driver; }
