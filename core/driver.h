/* SPDX-License-Identifier: BSD-3-Clause */
/* The interface between polluxd and a driver object (a shared object that turns
 * `name[,option=value...]` into a port). C, so that a driver can be built by any compiler; a driver
 * exports one function, pollux_driver_entry. All calls but rx and tx come from the management
 * thread. A call that a driver does not have is NULL. */
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
#define POLLUX_DRIVER_ABI 2u

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
  struct rte_mempool* pool; /**< where received packets come from, where the node is unknown */
  /** Packet buffers of the same size near a NUMA node. @param node  -1: unknown. Never NULL. */
  struct rte_mempool* (*pool_near)(void* context, int node);
  void* context; /**< first argument of pool_near */
};

/** Receives into or sends from `packets`. @return how many; tx owns those and frees them.
 * One thread at a time per queue. */
typedef uint16_t (*pollux_burst_fn)(void* port, uint16_t queue, struct rte_mbuf** packets,
                                    uint16_t n);

/** What a started port does. polluxd uses what is there and does the rest itself. */
enum pollux_capability {
  POLLUX_CAP_RX_IP4_CHECKSUM = 1u << 0, /**< marks bad IPv4 header checksums in ol_flags */
  POLLUX_CAP_RX_L4_CHECKSUM = 1u << 1,  /**< marks bad TCP and UDP checksums in ol_flags */
  POLLUX_CAP_TX_IP4_CHECKSUM = 1u << 2, /**< fills in IPv4 header checksums */
  POLLUX_CAP_TX_L4_CHECKSUM = 1u << 3,  /**< fills in TCP and UDP checksums */
  POLLUX_CAP_TX_TSO = 1u << 4,          /**< cuts TCP segments */
  POLLUX_CAP_RX_SCATTER = 1u << 5,      /**< a long frame arrives in several chained buffers */
  POLLUX_CAP_TX_CHAINED = 1u << 6,      /**< sends chained buffers */
  POLLUX_CAP_RSS = 1u << 7,             /**< a flow, both ways, always arrives on one queue */
  POLLUX_CAP_PROMISCUOUS = 1u << 8,     /**< filters by address unless told not to */
  POLLUX_CAP_MULTICAST = 1u << 9,       /**< has a filter of multicast addresses */
  POLLUX_CAP_REMOVABLE = 1u << 10,      /**< link() says -ENODEV once the device is gone */
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
  int32_t numa_node;             /**< -1: none, or unknown */
  char device[64];               /**< what stands behind it: "0000:03:00.0", "veth0", a socket */
  char pmd[32];                  /**< the poll-mode driver of DPDK: "net_e1000_em"; "" if none */
};

struct pollux_link {
  int up;
  uint32_t speed_mbps; /**< 0: unknown */
};

/** The device's own view, beside what the workers count. */
struct pollux_port_stats {
  uint64_t rx_missed, rx_errors, tx_errors, rx_no_mbuf;
};

/** A counter of the device's own. */
struct pollux_xstat {
  char name[64];
  uint64_t value;
};

enum pollux_driver_flag {
  POLLUX_DRIVER_RESIDENT = 1u << 0, /**< stays loaded when its last interface goes */
};

struct pollux_driver {
  uint32_t abi;                   /**< POLLUX_DRIVER_ABI */
  uint32_t flags;                 /**< of enum pollux_driver_flag */
  const char *name, *description; /**< one word; one line */
  const char* version;            /**< of the object, for show */
  const struct pollux_option* options;
  size_t n_options;
  /** Configures and starts a device. @return 0 and *out, or a negative errno, with a sentence in
   * `error`, and everything undone. */
  int (*open)(const struct pollux_port_request* request, struct pollux_port* out, char* error,
              size_t error_size);
  /** Stops, closes and frees. No thread may be in rx or tx, and none may call them again. */
  void (*close)(void* port);
  /* Each @return 0 or a negative errno. */
  int (*link)(void* port, struct pollux_link* out); /**< asked ten times a second; must be quick */
  int (*set_mtu)(void* port, uint16_t mtu);
  int (*stats)(void* port, struct pollux_port_stats* out);
  int (*set_promiscuous)(void* port, int on);
  /** Multicast addresses to be taken in beside the port's own and broadcast; replaces the former.
   */
  int (*set_multicast)(void* port, const uint8_t (*addresses)[6], size_t n);
  /** Writes up to `n` counters. @return how many there are, or a negative errno. */
  int (*xstats)(void* port, struct pollux_xstat* out, size_t n);
  const char* interface_prefix; /**< interfaces are numbered behind it; NULL: behind `name` */
};

/** The one symbol of a driver object. */
const struct pollux_driver* pollux_driver_entry(void);
#define POLLUX_DRIVER_ENTRY_SYMBOL "pollux_driver_entry"

#ifdef __cplusplus
}
#endif
#endif
