// SPDX-License-Identifier: BSD-3-Clause
// Ports whose peer is another port: it goes away, and comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <functional>

#include "tests/drivers/driver_ports.hh"

namespace {
using lab::comes_up;
using lab::DriverPorts;
using lab::eventually;
using lab::goes_down;
using lab::heap_bytes;
using lab::is_gone;
using lab::PortPtr;
using testing::HasSubstr;

class Peers : public DriverPorts {
protected:
  void carries(lab::Port& a, lab::Port& b) {
    EXPECT_TRUE(comes_up(a));
    EXPECT_TRUE(comes_up(b));
    for (const std::size_t length : {60, 1514}) {
      expect(a, 0, 0);  // a poll gives buffers to the peer
      expect(b, 0, 0);
      send(a, 50, length);
      expect(b, 50, length);
      send(b, 50, length);
      expect(a, 50, length);
    }
  }
  /// Opens as the manager does it with a device that was there before: again and again.
  PortPtr open_at_last(const std::string& text) {
    PortPtr port;
    EXPECT_TRUE(eventually([&] {
      auto opened = try_open(text);
      if (opened) port = std::make_unique<lab::Port>(std::move(*opened));
      return port != nullptr;
    })) << text;
    return port;
  }
  const std::string socket = folder + "/peer.sock";
  const std::string vhost = "vhost,iface=" + socket + ",role=";
  const std::string virtio = "virtio_user,path=" + socket + ",server=";
};

TEST_F(Peers, VhostServerOutlivesItsClients) {
  const PortPtr server = open(vhost + "server");
  ASSERT_TRUE(server);
  EXPECT_TRUE(goes_down(*server));
  for (int i = 0; i < 3; ++i) {
    const PortPtr client = open(virtio + "no,mac=02:00:00:00:00:31");
    ASSERT_TRUE(client);
    EXPECT_EQ(client->device().mac[5], 0x31);
    carries(*server, *client);
  }
  EXPECT_TRUE(goes_down(*server));
}

TEST_F(Peers, VirtioUserClientNoticesItsServerLeave) {
  EXPECT_THAT(refused(virtio + "no").context, HasSubstr("no backend listens there"));
  PortPtr server = open(vhost + "server");
  PortPtr client = open(virtio + "no");
  ASSERT_TRUE(server && client);
  carries(*server, *client);
  server.reset();
  EXPECT_TRUE(eventually([&] { return is_gone(*client); }));
  EXPECT_TRUE(is_gone(*client)) << "for good";
  client.reset();
  server = open(vhost + "server");
  ASSERT_TRUE(server);
  client = open_at_last(virtio + "no");
  ASSERT_TRUE(client);
  carries(*server, *client);
}

TEST_F(Peers, VhostClientFindsItsServerAgain) {
  const PortPtr client = open(vhost + "client");
  ASSERT_TRUE(client);
  EXPECT_TRUE(goes_down(*client));
  for (int i = 0; i < 2; ++i) {
    const PortPtr server = open_at_last(virtio + "yes");
    ASSERT_TRUE(server);
    carries(*client, *server);
  }
  EXPECT_TRUE(goes_down(*client));
}

TEST_F(Peers, VirtioUserServerOutlivesItsBackend) {
  PortPtr client = open(vhost + "client");
  ASSERT_TRUE(client);
  const PortPtr server = open_at_last(virtio + "yes");
  ASSERT_TRUE(server);
  for (int i = 0; i < 3; ++i) {
    carries(*client, *server);
    client.reset();
    EXPECT_TRUE(goes_down(*server));
    client = open(vhost + "client");
    ASSERT_TRUE(client);
  }
  carries(*client, *server);
}

TEST_F(Peers, VirtioUserServerRefusesToWait) {
  const auto descriptors = lab::descriptors();
  EXPECT_THAT(refused(virtio + "yes").context, HasSubstr("no backend connects"));
  EXPECT_EQ(lab::descriptors(), descriptors);
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(Peers, MemifClientNoticesItsServerLeave) {
  const std::string memif = "memif,socket=" + folder + "/back.sock,role=";
  PortPtr server = open(memif + "server");
  PortPtr client = open(memif + "client");
  ASSERT_TRUE(server && client);
  carries(*client, *server);
  server.reset();
  EXPECT_TRUE(eventually([&] { return is_gone(*client); }));
  client.reset();
  server = open(memif + "server");
  ASSERT_TRUE(server);
  client = open_at_last(memif + "client");
  ASSERT_TRUE(client);
  carries(*client, *server);
  client.reset();
  EXPECT_TRUE(goes_down(*server)) << "and not gone: another client may come";
}

// DPDK's thread for vhost-user looks once a second.
const int kTimes = std::getenv("POLLUX_TEST_LONG") != nullptr ? 100 : 5;

TEST_F(Peers, VhostReopensWithoutLeak) {
  const auto once = [&](const std::string& role) { ASSERT_TRUE(open(vhost + role)); };
  for (int i = 0; i < 3; ++i) {
    once("server");
    once("client");
  }
  const auto descriptors = lab::descriptors();
  const auto heap = heap_bytes();
  for (int i = 0; i < kTimes; ++i) {
    once("server");
    once("client");
  }
  EXPECT_EQ(lab::descriptors(), descriptors);
  EXPECT_EQ(heap_bytes(), heap);
}

TEST_F(Peers, VirtioUserReopensWithoutLeak) {
  const PortPtr server = open(vhost + "server");
  ASSERT_TRUE(server);
  const auto once = [&] {
    const PortPtr client = open(virtio + "no");
    ASSERT_TRUE(client);
    EXPECT_TRUE(comes_up(*server));
    EXPECT_TRUE(comes_up(*client));
    send(*client, 5, 200);
    expect(*server, 5, 200);
    send(*server, 5, 200);  // which nobody takes
  };
  const auto descriptors = lab::descriptors();
  // The server takes a connection down in a thread of DPDK's, a little after its peer has gone.
  const auto is_idle = [&] { return lab::descriptors() == descriptors; };
  for (int i = 0; i < 3; ++i) once();
  EXPECT_TRUE(eventually(is_idle));
  const auto heap = heap_bytes();
  for (int i = 0; i < kTimes; ++i) once();
  EXPECT_TRUE(eventually(is_idle));
  EXPECT_TRUE(eventually([&] { return heap_bytes() <= heap; }));
}

TEST_F(Peers, SocketsThatAreInTheWay) {
  // The file of a server that ended without removing it.
  ASSERT_EQ(std::system(("/usr/bin/python3 -c 'import socket; "
                         "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(\"" +
                         socket + "\")'")
                            .c_str()),
            0);
  const PortPtr first = open(vhost + "server");
  ASSERT_TRUE(first);
  EXPECT_THAT(refused(vhost + "server").context, HasSubstr("another process listens there"));
  EXPECT_TRUE(goes_down(*first));
  ASSERT_EQ(std::system(("touch " + folder + "/file").c_str()), 0);
  EXPECT_THAT(refused("vhost,iface=" + folder + "/file").context, HasSubstr("no socket"));
  EXPECT_THAT(refused("virtio_user,path=" + folder + "/file").context, HasSubstr("no socket"));
}

TEST_F(Peers, RefuseBadOptions) {
  EXPECT_THAT(refused(vhost + "both").context, HasSubstr("neither server nor client"));
  EXPECT_THAT(refused("vhost,iface=relative").context, HasSubstr("absolute path"));
  EXPECT_THAT(refused("vhost,iface=/tmp/" + std::string(120, 'x')).context, HasSubstr("longer"));
  EXPECT_THAT(refused(vhost + "server,queues=65").context, HasSubstr("at most 64"));
  EXPECT_THAT(refused(virtio + "maybe").context, HasSubstr("neither yes nor no"));
  EXPECT_THAT(refused(virtio + "no,queue_size=100").context, HasSubstr("power of two"));
  EXPECT_THAT(refused(virtio + "no,queues=9").context, HasSubstr("at most 8"));
}
}  // namespace
