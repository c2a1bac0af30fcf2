/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole driver: its port receives nothing, and counts and frees what is sent. */
#include <errno.h>
#include <pollux/driver.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_QUEUES 64

struct queue { /* one thread at a time writes it */
  _Alignas(64) uint64_t discarded;
};

struct discard {
  uint32_t speed_mbps;
  uint16_t queues;
  struct queue queue[MAX_QUEUES];
};

static const struct pollux_option options[] = {
    {"speed", POLLUX_OPTION_UINT, "1000", "Mbit/s that the link is said to have"},
};

static uint16_t discard_rx(void *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n) {
  (void)port, (void)queue, (void)packets, (void)n;
  return 0;
}

/* Takes all, so all are this function's to free. */
static uint16_t discard_tx(void *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n) {
  struct discard *d = port;
  rte_pktmbuf_free_bulk(packets, n);
  __atomic_store_n(&d->queue[queue].discarded, d->queue[queue].discarded + n, __ATOMIC_RELAXED);
  return n;
}

static int discard_open(const struct pollux_port_request *request, struct pollux_port *out,
                        char *error, size_t error_size) {
  const char *speed = request->options[0].value; /* in declared order; checked to be a number */
  struct discard *d;
  if (request->mtu != 0 && request->mtu < 68) {
    snprintf(error, error_size, "MTU %u is below 68", request->mtu);
    return -EINVAL;
  }
  d = aligned_alloc(_Alignof(struct discard), sizeof *d);
  if (d == NULL) {
    snprintf(error, error_size, "no memory for the port");
    return -ENOMEM;
  }
  *d = (struct discard){0};
  d->speed_mbps = (uint32_t)strtoul(speed, NULL, 10);
  d->queues = request->queues < MAX_QUEUES ? request->queues : MAX_QUEUES;

  *out = (struct pollux_port){0};
  out->port = d;
  out->rx = discard_rx;
  out->tx = discard_tx;
  rte_eth_random_addr(out->mac);
  out->mtu = request->mtu != 0 ? request->mtu : 1500;
  out->rx_queues = out->tx_queues = d->queues;
  out->capabilities = POLLUX_CAP_TX_CHAINED;
  out->numa_node = -1;
  snprintf(out->device, sizeof out->device, "discard");
  return 0;
}

static void discard_close(void *port) { free(port); }

static int discard_link(void *port, struct pollux_link *out) {
  const struct discard *d = port;
  out->up = 1;
  out->speed_mbps = d->speed_mbps;
  return 0;
}

static int discard_set_mtu(void *port, uint16_t mtu) {
  (void)port;
  return mtu < 68 ? -EINVAL : 0;
}

static int discard_stats(void *port, struct pollux_port_stats *out) {
  (void)port;
  *out = (struct pollux_port_stats){0};
  return 0;
}

static int discard_xstats(void *port, struct pollux_xstat *out, size_t n) {
  const struct discard *d = port;
  uint64_t all = 0;
  for (uint16_t q = 0; q < d->queues; q++)
    all += __atomic_load_n(&d->queue[q].discarded, __ATOMIC_RELAXED);
  if (n > 0) {
    snprintf(out[0].name, sizeof out[0].name, "discarded");
    out[0].value = all;
  }
  return 1;
}

static const struct pollux_driver driver = {
    .abi = POLLUX_DRIVER_ABI,
    .name = "discard",
    .description = "receives nothing, counts and frees what is sent",
    .version = "1.0",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .open = discard_open,
    .close = discard_close,
    .link = discard_link,
    .set_mtu = discard_set_mtu,
    .stats = discard_stats,
    .xstats = discard_xstats,
    .interface_prefix = "hole", /* hole0, hole1; without it discard0 */
};

const struct pollux_driver *pollux_driver_entry(void) { return &driver; }
