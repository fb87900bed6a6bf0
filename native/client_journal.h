// Which clients resolve which service IPs, learnt from their requests: whoever takes an address over asks each of them to
// follow. Bounded: those not heard for longest are forgotten first. No I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ip_table.h"
#include "reply.h"

namespace arpeggio {

class ClientJournal {
 public:
  static constexpr size_t kMaxPairs = 8192;
  static constexpr size_t kMaxPairsPerAddress = 64;
  // A client that keeps its entry fresh by unicast is heard by the owner alone: the others heard it last when it began.
  static constexpr int64_t kMaxAgeNs = 24 * 3'600'000'000'000;

  struct Entry {
    uint32_t address_index;  // in the list that was asked for
    Client client;
    int64_t heard_ns;
  };

  ClientJournal();
  ClientJournal(const ClientJournal&) = delete;
  ClientJournal& operator=(const ClientJournal&) = delete;

  // For every request: one look-up where the client has been heard within the last second.
  void note(const wire::IpAddress& service, unsigned slot, const Client& client, int64_t now_ns);

  // The clients of these addresses, each address listed once, on a slot: most recent first, to a second.
  std::vector<Entry> clients_of(const std::vector<wire::IpAddress>& services, unsigned slot, int64_t now_ns) const;

  // These slots are other interfaces from now on.
  void forget(SlotMask slots);

  size_t size() const { return pairs_.size() - free_pairs_.size(); }

 private:
  using Index = uint16_t;
  static constexpr Index kNone = 0xffff;
  static constexpr size_t kBuckets = 16384;

  // Towards the older and the newer neighbour in a list by time.
  struct Links {
    Index older = kNone;
    Index newer = kNone;
  };
  struct List {
    Index oldest = kNone;
    Index newest = kNone;
  };
  struct Pair {  // 64 bytes: a cache line
    wire::IpAddress service;
    Client client;
    uint8_t slot;
    int64_t heard_ns;
    Index group;
    Index next_in_bucket;
    Links overall;
    Links in_group;
  };
  // The pairs of one address on one slot.
  struct Group {
    wire::IpAddress service;
    uint8_t slot;
    Index count;
    Index next_in_bucket;
    List pairs;
  };

  uint64_t hash_of(const wire::IpAddress& service, unsigned slot) const;
  Index& pair_bucket(const wire::IpAddress& service, unsigned slot, const wire::IpAddress& client);
  Index& group_bucket(const wire::IpAddress& service, unsigned slot);
  Index find_group(const wire::IpAddress& service, unsigned slot) const;
  Index make_group(const wire::IpAddress& service, unsigned slot);
  void remove(Index index);
  void link(List& list, Links Pair::*links, Index index);
  void unlink(List& list, Links Pair::*links, Index index);

  const uint64_t seed_;  // clients choose their addresses: they must not choose their bucket
  std::vector<Pair> pairs_;
  std::vector<Index> free_pairs_;
  std::vector<Group> groups_;
  std::vector<Index> free_groups_;
  std::vector<Index> pair_buckets_;
  std::vector<Index> group_buckets_;
  List overall_;
};

}  // namespace arpeggio
