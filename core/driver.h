/* SPDX-License-Identifier: BSD-3-Clause */
/* The interface between polluxd and a driver object (a shared object that turns
 * `name[,option=value...]` into a port). C, so that a driver can be built by any compiler; a driver
 * exports one function, pollux_driver_entry. All calls but rx and tx come from the management
 * thread. */
#ifndef POLLUX_CORE_DRIVER_H
#define POLLUX_CORE_DRIVER_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mbuf;
struct rte_mempool;

/** Raised whenever a structure below changes; a driver of another version is refused. */
#define POLLUX_DRIVER_ABI 1u

enum pollux_option_type {
  POLLUX_OPTION_STRING,
  POLLUX_OPTION_UINT, /**< decimal, 0 to 2^32-1 */
  POLLUX_OPTION_REST, /**< everything up to the end of the text, commas included; declared last */
};

/** One option of a driver, checked by polluxd before open() is called. */
struct pollux_option {
  const char* name;
  enum pollux_option_type type;
  const char* default_value; /**< NULL: the option is required; "": optional without default */
  const char* help;          /**< one line */
};

/** A checked option; values that were not given carry the default. */
struct pollux_option_value {
  const char *name, *value;
};

/** What open() is asked for. Valid during the call only. */
struct pollux_port_request {
  const char* name; /**< unique in the process: "pollux" and a number; for the device's own name */
  const struct pollux_option_value* options; /**< every declared option, in declared order */
  size_t n_options;
  uint16_t queues;          /**< wanted receive and transmit queues, 1 or more */
  uint16_t mtu;             /**< bytes of IP packet; 0: the device's default */
  struct rte_mempool* pool; /**< where received packets come from */
};

/** Receives into or sends from `packets`. @return how many; tx owns those and frees them.
 * One thread at a time per queue. */
typedef uint16_t (*pollux_burst_fn)(void* port, uint16_t queue, struct rte_mbuf** packets,
                                    uint16_t n);

enum pollux_capability {
  POLLUX_CAP_RX_IP4_CHECKSUM = 1u << 0, /**< marks bad IPv4 header checksums in ol_flags */
};

/** A started port. */
struct pollux_port {
  void* port; /**< first argument of every call below */
  pollux_burst_fn rx, tx;
  uint8_t mac[6];
  uint16_t mtu;                  /**< bytes of IP packet */
  uint16_t rx_queues, tx_queues; /**< fewer than wanted where the device has no more; more where an
                                  * option asked for more. Every receive queue must be polled. */
  uint32_t capabilities;         /**< of enum pollux_capability */
  char device[64];               /**< what stands behind it: "0000:03:00.0", "veth0", a socket */
};

struct pollux_link {
  int up;
  uint32_t speed_mbps; /**< 0: unknown */
};

/** The device's own view, beside what the workers count. */
struct pollux_port_stats {
  uint64_t rx_missed, rx_errors, tx_errors, rx_no_mbuf;
};

struct pollux_driver {
  uint32_t abi; /**< POLLUX_DRIVER_ABI */
  const char *name, *description;
  const struct pollux_option* options;
  size_t n_options;
  /** Configures and starts a device. @return 0 and *out, or a negative errno, with a sentence in
   * `error`, and everything undone. */
  int (*open)(const struct pollux_port_request* request, struct pollux_port* out, char* error,
              size_t error_size);
  /** Stops, closes and frees. No thread may be in rx or tx, and none may call them again. */
  void (*close)(void* port);
  int (*link)(void* port, struct pollux_link* out);
  int (*set_mtu)(void* port, uint16_t mtu);
  int (*stats)(void* port, struct pollux_port_stats* out);
};

/** The one symbol of a driver object. */
const struct pollux_driver* pollux_driver_entry(void);
#define POLLUX_DRIVER_ENTRY_SYMBOL "pollux_driver_entry"

#ifdef __cplusplus
}
#endif
#endif
