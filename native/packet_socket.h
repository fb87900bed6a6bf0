// An AF_PACKET socket on one interface for one EtherType, with a TPACKET_V2 receive ring.
// V2 and not V3: V3 holds packets back until a block is full or its timer (1 ms at best) fires.
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "reply.h"

namespace arpeggio {

struct RingGeometry {
  size_t frame_size;   // multiple of 16; longer packets are cut
  size_t frame_count;  // frame_size * frame_count is a multiple of 64 KiB
};

// ARP frames need 60 bytes beside about 80 of the ring's own; NDP packets may fill an MTU of 1500.
inline constexpr RingGeometry kArpRing{256, 4096};
inline constexpr RingGeometry kNdpRing{2048, 1024};
// Frames of peers fill an Ethernet frame of 1514 bytes at most.
inline constexpr RingGeometry kHeartbeatRing{2048, 512};

class PacketSocket {
 public:
  // `ether_type` in host order. The socket receives nothing before attach_*() and bind().
  // Throws SystemError; EPERM means that CAP_NET_RAW is missing.
  PacketSocket(const std::string& interface_name, unsigned interface_index, uint16_t ether_type, RingGeometry ring);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  void attach_classic_filter(const std::vector<sock_filter>& program);
  void attach_ebpf_filter(int program_fd);
  // Has the interface receive the frames of a multicast MAC, for as long as the socket lives.
  void join(const wire::Mac& group);
  // Puts what is sent before other traffic, in the queues of the kernel that have an order.
  void send_first();
  // From here on frames arrive.
  void bind();

  int fd() const { return fd_.get(); }
  size_t ring_size() const { return geometry_.frame_count; }

  // The kernel's index of the interface; -1 once that has been deleted.
  int bound_interface() const;

  // Views the next received frame; false when there is none. The bytes stay valid until release().
  bool next(Frame& frame);
  // Gives the frame of the last next() back to the kernel.
  void release();

  // Frames that the kernel dropped because the ring was full, since the last call.
  uint32_t take_ring_drops();

  // The interface's pending error (ENETDOWN after link down), cleared by reading; 0 without one.
  int take_error();

 private:
  FileDescriptor fd_;
  std::string interface_name_;
  unsigned interface_index_;
  uint16_t ether_type_;
  uint8_t* ring_ = nullptr;
  RingGeometry geometry_;
  size_t position_ = 0;
};

// Frames to be sent by one sendmmsg. Cheap to fill; the buffers live as long as the batch.
class SendBatch {
 public:
  static constexpr size_t kCapacity = 64;
  SendBatch();
  SendBatch(const SendBatch&) = delete;
  SendBatch& operator=(const SendBatch&) = delete;

  bool full() const { return count_ == kCapacity; }
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  // Where to write the next frame (kMaxReplySize bytes); commit() makes it part of the batch.
  uint8_t* slot() { return buffers_[count_].data(); }
  void commit(size_t frame_size);

  // Sends all on `fd` and empties the batch. Returns how many went out: a frame that the kernel refuses is skipped, and
  // where its queue is full (ENOBUFS, EAGAIN) so is the rest.
  size_t send(int fd);

 private:
  using Buffer = std::array<uint8_t, kMaxReplySize>;
  size_t count_ = 0;
  std::vector<Buffer> buffers_;
  std::vector<iovec> vectors_;
  std::vector<mmsghdr> messages_;
};

}  // namespace arpeggio
