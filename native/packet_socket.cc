#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>

#include <cstring>

#include "system_error.h"

namespace arpeggio {

namespace {

constexpr size_t kBlockSize = 64 * 1024;
// TC_PRIO_INTERACTIVE: the first band of pfifo_fast, and the highest that needs no privilege.
constexpr int kFirstPriority = 6;

template <typename T>
void set_option(int fd, const std::string& interface_name, int level, int name, const T& value) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0) {
    throw SystemError("setsockopt", errno, interface_name);
  }
}

// The status word is shared with the kernel, which writes the frame before it and reads after it.
uint32_t load_status(const tpacket2_hdr* header) { return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE); }
void store_status(tpacket2_hdr* header, uint32_t status) {
  __atomic_store_n(&header->tp_status, status, __ATOMIC_RELEASE);
}

}  // namespace

PacketSocket::PacketSocket(const std::string& interface_name, unsigned interface_index, uint16_t ether_type,
                           RingGeometry ring)
    // Protocol 0: nothing arrives until bind() names one, so no frame slips in before the filter is in place.
    : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      interface_name_(interface_name),
      interface_index_(interface_index),
      ether_type_(ether_type),
      geometry_(ring) {
  if (!fd_.valid()) throw SystemError("socket", errno, interface_name);
  const int fd = fd_.get();
  set_option(fd, interface_name, SOL_PACKET, PACKET_VERSION, static_cast<int>(TPACKET_V2));
  // Since Linux 4.20; older kernels deliver our own frames as PACKET_OUTGOING, which reply() drops.
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  tpacket_req request{};
  request.tp_block_size = kBlockSize;
  request.tp_block_nr = static_cast<unsigned>(ring.frame_size * ring.frame_count / kBlockSize);
  request.tp_frame_size = static_cast<unsigned>(ring.frame_size);
  request.tp_frame_nr = static_cast<unsigned>(ring.frame_count);
  set_option(fd, interface_name, SOL_PACKET, PACKET_RX_RING, request);
  void* mapped =
      mmap(nullptr, ring.frame_size * ring.frame_count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) throw SystemError("mmap", errno, interface_name);
  ring_ = static_cast<uint8_t*>(mapped);
}

PacketSocket::~PacketSocket() {
  if (ring_ != nullptr) munmap(ring_, geometry_.frame_size * geometry_.frame_count);
}

void PacketSocket::attach_classic_filter(const std::vector<sock_filter>& program) {
  sock_fprog fprog{};
  fprog.len = static_cast<unsigned short>(program.size());
  fprog.filter = const_cast<sock_filter*>(program.data());
  set_option(fd_.get(), interface_name_, SOL_SOCKET, SO_ATTACH_FILTER, fprog);
}

void PacketSocket::attach_ebpf_filter(int program_fd) {
  set_option(fd_.get(), interface_name_, SOL_SOCKET, SO_ATTACH_BPF, program_fd);
}

void PacketSocket::join(const wire::Mac& group) {
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(interface_index_);
  request.mr_type = PACKET_MR_MULTICAST;
  request.mr_alen = static_cast<unsigned short>(group.size());
  std::memcpy(request.mr_address, group.data(), group.size());
  set_option(fd_.get(), interface_name_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request);
}

void PacketSocket::send_first() {
  set_option(fd_.get(), interface_name_, SOL_SOCKET, SO_PRIORITY, kFirstPriority);
}

void PacketSocket::bind() {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ether_type_);
  address.sll_ifindex = static_cast<int>(interface_index_);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw SystemError("bind", errno, interface_name_);
  }
}

int PacketSocket::bound_interface() const {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  if (getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  return address.sll_ifindex;
}

bool PacketSocket::next(Frame& frame) {
  auto* header = reinterpret_cast<tpacket2_hdr*>(ring_ + position_ * geometry_.frame_size);
  const uint32_t status = load_status(header);
  if ((status & TP_STATUS_USER) == 0) return false;
  const auto* link = reinterpret_cast<const sockaddr_ll*>(reinterpret_cast<const uint8_t*>(header) +
                                                          TPACKET_ALIGN(sizeof(tpacket2_hdr)));
  frame.bytes = reinterpret_cast<const uint8_t*>(header) + header->tp_mac;
  frame.size = header->tp_snaplen;
  frame.type = static_cast<PacketType>(link->sll_pkttype);
  frame.has_vlan = (status & TP_STATUS_VLAN_VALID) != 0;
  frame.vlan_tci = header->tp_vlan_tci;
  return true;
}

void PacketSocket::release() {
  store_status(reinterpret_cast<tpacket2_hdr*>(ring_ + position_ * geometry_.frame_size), TP_STATUS_KERNEL);
  position_ = position_ + 1 == geometry_.frame_count ? 0 : position_ + 1;
}

uint32_t PacketSocket::take_ring_drops() {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return 0;
  return statistics.tp_drops;
}

int PacketSocket::take_error() {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

SendBatch::SendBatch() : buffers_(kCapacity), vectors_(kCapacity), messages_(kCapacity) {
  for (size_t index = 0; index < kCapacity; ++index) {
    vectors_[index] = {buffers_[index].data(), 0};
    messages_[index] = {};
    messages_[index].msg_hdr.msg_iov = &vectors_[index];
    messages_[index].msg_hdr.msg_iovlen = 1;
  }
}

void SendBatch::commit(size_t frame_size) {
  vectors_[count_].iov_len = frame_size;
  ++count_;
}

size_t SendBatch::send(int fd) {
  size_t total = 0;
  for (size_t position = 0; position < count_;) {
    const int sent = sendmmsg(fd, messages_.data() + position, static_cast<unsigned>(count_ - position), 0);
    if (sent > 0) {
      position += static_cast<size_t>(sent);
      total += static_cast<size_t>(sent);
    } else if (errno == ENOBUFS || errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      ++position;  // this frame cannot go; the next may
    }
  }
  count_ = 0;
  return total;
}

}  // namespace arpeggio
