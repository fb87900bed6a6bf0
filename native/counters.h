// Counters that the packet thread writes and anybody reads, without locks: one writer, relaxed atomics.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "drop_reason.h"
#include "ip_table.h"

namespace arpeggio {

class Counter {
 public:
  // Only the packet thread calls it, so a load and a store do; a locked add would cost an answer some 20 cycles.
  void add(uint64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Per interface slot.
#define ARPEGGIO_INTERFACE_COUNTERS(X)                                                            \
  X(arp_requests, "arp-requests")           /* ARP requests for an address of the table */        \
  X(arp_replies, "arp-replies")             /* of them answered */                                \
  X(solicitations, "solicitations")         /* NS for an address of the table */                  \
  X(advertisements, "advertisements")       /* of them answered */                                \
  X(announcements, "announcements")         /* unsolicited frames sent: GARP of both forms, NA */ \
  X(probes, "probes")                       /* ARP probes and DAD NS sent */                      \
  X(directed_requests, "directed-requests") /* asked known clients to follow */                   \
  X(send_errors, "send-errors")             /* frames that the kernel refused */                  \
  X(ring_drops, "ring-drops")               /* frames lost because we were too slow */            \
  X(heartbeats_sent, "heartbeats-sent")     /* frames to other nodes, messages too */             \
  X(heartbeats_received, "heartbeats-received") /* frames of other nodes that were not refused */

struct InterfaceCounters {
#define X(member, name) Counter member;
  ARPEGGIO_INTERFACE_COUNTERS(X)
#undef X
  Counter drops[kDropReasonCount];
};

inline constexpr const char* kInterfaceCounterNames[] = {
#define X(member, name) name,
    ARPEGGIO_INTERFACE_COUNTERS(X)
#undef X
};

// Per address.
struct AddressCounters {
  Counter requests;       // ARP requests and NS for it
  Counter replies;        // of them answered
  Counter announcements;  // unsolicited frames sent
};

inline constexpr const char* kAddressCounterNames[] = {"requests", "replies", "announcements"};

// AddressCounters by counter slot. Grows in chunks that never move, so that readers and the writer need no lock.
class AddressCounterStore {
 public:
  static constexpr size_t kChunkSize = 1024;
  static constexpr size_t kMaxChunks = 1024;

  AddressCounterStore() = default;
  AddressCounterStore(const AddressCounterStore&) = delete;
  AddressCounterStore& operator=(const AddressCounterStore&) = delete;
  ~AddressCounterStore() {
    for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
  }

  // Only the publishing thread. False when `slot` is beyond kChunkSize * kMaxChunks.
  bool reserve(uint32_t slot) {
    const size_t chunk = slot / kChunkSize;
    if (chunk >= kMaxChunks) return false;
    if (chunks_[chunk].load(std::memory_order_relaxed) == nullptr) {
      chunks_[chunk].store(new AddressCounters[kChunkSize], std::memory_order_release);
    }
    return true;
  }

  // `slot` has been reserved.
  AddressCounters& at(uint32_t slot) {
    return chunks_[slot / kChunkSize].load(std::memory_order_acquire)[slot % kChunkSize];
  }

 private:
  std::atomic<AddressCounters*> chunks_[kMaxChunks] = {};
};

}  // namespace arpeggio
