/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver of devices that never say anything. A device can be opened once at a time, as a real one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/driver.h"

#define MAX_DEVICES 16
static char *open_devices[MAX_DEVICES];

static const struct pollux_option options[] = {
    {"device", POLLUX_OPTION_STRING, NULL, "which one"},
    {"speed", POLLUX_OPTION_UINT, "10", "how fast it is idle"},
};

static uint16_t idle_burst(void *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n) {
  (void)port, (void)queue, (void)packets, (void)n;
  return 0;
}

static int idle_open(const struct pollux_port_request *request, struct pollux_port *out, char *error,
                     size_t error_size) {
  const char *device = request->options[0].value;
  size_t free_slot = MAX_DEVICES;
  if (strcmp(device, "broken") == 0) {
    snprintf(error, error_size, "the device is broken");
    return -EIO;
  }
  for (size_t i = 0; i < MAX_DEVICES; i++) {
    if (open_devices[i] == NULL) free_slot = i;
    if (open_devices[i] != NULL && strcmp(open_devices[i], device) == 0) {
      snprintf(error, error_size, "%s is busy", device);
      return -EBUSY;
    }
  }
  if (free_slot == MAX_DEVICES) return -ENOSPC;
  open_devices[free_slot] = strdup(device);
  out->port = &open_devices[free_slot];
  out->rx = out->tx = idle_burst;
  out->mac[0] = 2;
  out->mac[5] = (uint8_t)free_slot;
  out->mtu = request->mtu != 0 ? request->mtu : 1500;
  out->rx_queues = out->tx_queues = 1;
  out->capabilities = POLLUX_CAP_PROMISCUOUS;
  out->numa_node = -1;
  snprintf(out->device, sizeof out->device, "%s", device);
  return 0;
}

static void idle_close(void *port) {
  char **slot = port;
  free(*slot);
  *slot = NULL;
}
static int idle_link(void *port, struct pollux_link *out) {
  (void)port;
  out->up = 1;
  out->speed_mbps = 0;
  return 0;
}
static int idle_set_mtu(void *port, uint16_t mtu) {
  (void)port, (void)mtu;
  return 0;
}
static int idle_set_promiscuous(void *port, int on) {
  (void)port, (void)on;
  return 0;
}

static const struct pollux_driver driver = {
    .abi = POLLUX_DRIVER_ABI,
    .name = "idle",
    .description = "devices that never say anything",
    .version = "1",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .open = idle_open,
    .close = idle_close,
    .link = idle_link,
    .set_mtu = idle_set_mtu,
    .set_promiscuous = idle_set_promiscuous,
};

const struct pollux_driver *pollux_driver_entry(void) { return &driver; }
