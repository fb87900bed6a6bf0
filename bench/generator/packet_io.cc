#include "packet_io.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

void fail(const std::string& what) {
  std::fprintf(stderr, "generator: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

PacketIo::PacketIo(const std::string& interface, uint16_t protocol) {
  // Protocol 0 until bound: nothing of other interfaces may reach the ring.
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail("socket(AF_PACKET)");

  ifreq link{};
  std::snprintf(link.ifr_name, sizeof(link.ifr_name), "%s", interface.c_str());
  if (ioctl(fd_, SIOCGIFHWADDR, &link) < 0) fail("SIOCGIFHWADDR " + interface);
  std::memcpy(mac_.data(), link.ifr_hwaddr.sa_data, 6);

  const int version = TPACKET_V2;
  if (setsockopt(fd_, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0) fail("PACKET_VERSION");
  const int on = 1;
  if (setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0) fail("PACKET_QDISC_BYPASS");
  setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
  const int send_buffer = 4 << 20;
  setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof(send_buffer));

  tpacket_req ring{};
  ring.tp_block_size = 1 << 16;
  ring.tp_frame_size = kSlot;
  ring.tp_frame_nr = kSlots;
  ring.tp_block_nr = kSlots * kSlot / ring.tp_block_size;
  if (setsockopt(fd_, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0) fail("PACKET_RX_RING");
  void* mapped = mmap(nullptr, kSlots * kSlot, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
  if (mapped == MAP_FAILED) fail("mmap of the ring");
  ring_ = static_cast<uint8_t*>(mapped);

  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  realtime_offset_ns_ = static_cast<uint64_t>(wall.tv_sec) * 1000000000u + static_cast<uint64_t>(wall.tv_nsec) - now_ns();

  address_.sll_family = AF_PACKET;
  address_.sll_protocol = htons(protocol);
  address_.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address_), sizeof(address_)) < 0) fail("bind to " + interface);
}

PacketIo::~PacketIo() {
  if (ring_) munmap(ring_, kSlots * kSlot);
  if (fd_ >= 0) close(fd_);
}

size_t PacketIo::send(const Frame* const* frames, size_t count) {
  mmsghdr messages[kBatch] = {};
  iovec vectors[kBatch];
  for (size_t i = 0; i < count; i += 1) {
    vectors[i] = {const_cast<uint8_t*>(frames[i]->bytes.data()), frames[i]->length};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(fd_, messages, static_cast<unsigned>(count), MSG_DONTWAIT);
  // sendmmsg stops at the first frame that fails. A full ring of the veth peer (ENOBUFS) is loss on the wire: the frame
  // counts as sent, and is not tried again.
  if (sent >= 0) return static_cast<size_t>(sent) + (static_cast<size_t>(sent) < count ? 1 : 0);
  if (errno == ENOBUFS) return 1;
  if (errno == EAGAIN || errno == EINTR) return 0;
  fail("sendmmsg");
}

uint64_t PacketIo::ring_drops() {
  tpacket_stats statistics{};
  socklen_t length = sizeof(statistics);
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0) fail("PACKET_STATISTICS");
  return statistics.tp_drops;
}

}  // namespace bench
