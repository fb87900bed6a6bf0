// The generator's socket on its end of the veth pair: batches out by sendmmsg without a queueing discipline, frames in
// by a TPACKET_V2 ring that is read without a system call.
#pragma once

#include <linux/if_packet.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "frames.h"

namespace bench {

[[noreturn]] void fail(const std::string& what);  // prints it with errno's text, exits 1

uint64_t now_ns();  // CLOCK_MONOTONIC, as process.hrtime in Node

class PacketIo {
 public:
  static constexpr size_t kBatch = 64;

  // `protocol` in host byte order, such as ETH_P_ARP.
  PacketIo(const std::string& interface, uint16_t protocol);
  ~PacketIo();
  PacketIo(const PacketIo&) = delete;
  PacketIo& operator=(const PacketIo&) = delete;

  const Mac& mac() const { return mac_; }

  // Sends up to kBatch frames; returns how many the kernel took.
  size_t send(const Frame* const* frames, size_t count);

  // Calls on_frame(bytes, length) for each frame in the ring; returns how many there were.
  template <typename OnFrame>
  size_t receive(OnFrame&& on_frame) {
    size_t count = 0;
    for (;;) {
      auto* header = reinterpret_cast<tpacket2_hdr*>(ring_ + next_ * kSlot);
      if (!(__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) return count;
      received_ns_ = header->tp_sec * uint64_t{1000000000} + header->tp_nsec - realtime_offset_ns_;
      on_frame(reinterpret_cast<const uint8_t*>(header) + header->tp_mac, size_t{header->tp_snaplen});
      __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
      next_ = (next_ + 1) % kSlots;
      count += 1;
    }
  }

  // When the kernel put the frame into the ring that receive() is just handing out, on the clock of now_ns().
  uint64_t received_ns() const { return received_ns_; }

  // Frames that found the ring full since the last call: the generator's own loss, not the responder's.
  uint64_t ring_drops();

 private:
  static constexpr size_t kSlot = 256;
  static constexpr size_t kSlots = 32768;

  int fd_ = -1;
  uint8_t* ring_ = nullptr;
  size_t next_ = 0;
  uint64_t received_ns_ = 0;
  // The kernel's time stamps are of the wall clock.
  uint64_t realtime_offset_ns_ = 0;
  Mac mac_{};
  sockaddr_ll address_{};
};

}  // namespace bench
