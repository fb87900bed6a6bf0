// The shared IP table: which addresses are answered on which interfaces. A new one replaces it whole, so the packet
// thread reads without locks. Once published a table changes in one thing only: the packet thread adds to the answer
// masks (answer_also) what it takes over by itself. So that thread alone reads those masks; addresses, interface names,
// `selected` and groups never change, and anybody may read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/address.h"

namespace arpeggio {

// Interfaces are bits: slot n of the table's interface list is bit n of a mask.
using SlotMask = uint64_t;
inline constexpr size_t kMaxSlots = 64;

inline SlotMask slot_bit(unsigned slot) { return SlotMask{1} << slot; }

struct IpTableEntry {
  wire::IpAddress address;
  SlotMask selected = 0;   // where rivals are watched for
  SlotMask answer = 0;     // where requests are answered; part of selected
  SlotMask tentative = 0;  // where it is an optimistic address (RFC 4429); part of answer
  uint32_t counter_slot = 0;
  SlotMask quiet = 0;  // where it is answered only: nothing is announced, no client is asked; part of answer
};

// A solicited-node group by the low 24 bits that tell it from the others, and the interfaces that need it.
struct SolicitedNodeGroup {
  uint32_t low24;
  SlotMask slots;

  bool operator==(const SolicitedNodeGroup& other) const { return low24 == other.low24 && slots == other.slots; }
};

class IpTable {
 public:
  IpTable() : IpTable({}, {}) {}
  // `interface_names` has at most kMaxSlots names. Of two entries with one address the last counts.
  IpTable(std::vector<std::string> interface_names, std::vector<IpTableEntry> entries);

  // nullptr when the address is not in the table. Cost does not depend on the table's size.
  const IpTableEntry* find(const wire::IpAddress& address) const {
    const uint64_t hash = hash_of(address);
    const uint32_t tag = static_cast<uint32_t>(hash >> 32);
    for (size_t at = hash & bucket_mask_;; at = (at + 1) & bucket_mask_) {
      const Bucket& bucket = buckets_[at];
      if (bucket.index_plus_one == 0) return nullptr;
      if (bucket.tag == tag && entries_[bucket.index_plus_one - 1].address == address) {
        return &entries_[bucket.index_plus_one - 1];
      }
    }
  }

  // Answers an address on a slot from now on, where it is selected; false where it is not. Once the table is published
  // only the packet thread may call it.
  bool answer_also(const wire::IpAddress& address, unsigned slot) {
    // The table's own entry: only this call sees it as one that can be changed.
    auto* entry = const_cast<IpTableEntry*>(find(address));
    if (entry == nullptr || (entry->selected & slot_bit(slot)) == 0) return false;
    entry->answer |= slot_bit(slot);
    return true;
  }

  const std::vector<std::string>& interface_names() const { return interface_names_; }
  const std::vector<IpTableEntry>& entries() const { return entries_; }
  // Sorted by low24, each group once.
  const std::vector<SolicitedNodeGroup>& groups() const { return groups_; }

 private:
  struct Bucket {
    uint32_t tag;
    uint32_t index_plus_one;
  };

  static uint64_t hash_of(const wire::IpAddress& address) {
    uint64_t hash = (address.half(0) ^ 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 32) ^ address.half(1)) * 0xc4ceb9fe1a85ec53u;
    hash ^= hash >> 29;
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
  }

  std::vector<std::string> interface_names_;
  std::vector<IpTableEntry> entries_;
  std::vector<SolicitedNodeGroup> groups_;
  std::vector<Bucket> buckets_;  // open addressing, at most half full
  size_t bucket_mask_ = 0;
};

}  // namespace arpeggio
