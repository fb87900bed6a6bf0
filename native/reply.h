// What to do with a frame: a pure function of (frame, table, interface). No I/O, no clock, no allocation.
// It answers nothing that is not in the table, on no interface that the entry does not name, and never to a group
// address but for somebody's duplicate address detection (RFC 4862 5.4.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "drop_reason.h"
#include "ip_table.h"
#include "wire/ethernet.h"

namespace arpeggio {

// sockaddr_ll's sll_pkttype, with the kernel's values.
enum class PacketType : uint8_t { kHost = 0, kBroadcast = 1, kMulticast = 2, kOtherHost = 3, kOutgoing = 4 };

struct Frame {
  const uint8_t* bytes;  // from the Ethernet header on
  size_t size;
  PacketType type;
  bool has_vlan;  // the kernel stripped an 802.1Q tag
  uint16_t vlan_tci;
};

// MACs of this node: every link's, bond slaves among them. A frame from one of them is our own, come back.
class OwnMacs {
 public:
  OwnMacs() = default;
  explicit OwnMacs(std::vector<wire::Mac> macs);
  bool contains(const uint8_t* mac) const;

 private:
  std::vector<wire::Mac> sorted_;
};

struct ReceivingInterface {
  unsigned slot;  // in the table's interface list
  wire::Mac mac;
  const OwnMacs* own_macs;
  bool held = false;  // nothing is answered on it for now
};

enum class RivalKind : uint8_t { kArp, kArpProbe, kNeighborAdvertisement, kNeighborSolicitation, kDad };

struct Rival {
  RivalKind kind;
  wire::Mac mac;
};

// A host that resolves addresses of ours.
struct Client {
  wire::IpAddress address;
  wire::Mac mac;
};

struct Verdict {
  size_t reply_size = 0;  // 0: not answered, and `drop` says why
  DropReason drop = DropReason::kOutgoing;
  const IpTableEntry* entry = nullptr;  // the address asked for, or claimed by a rival
  bool is_request = false;              // counts as a request for `entry`
  bool has_rival = false;
  Rival rival{};
  // Whoever asked for `entry` (not by a probe or DAD), whether or not it is answered; or who answered at our MAC to
  // `entry`, which proves that it sends there: a confirmation. `drop` then says so.
  bool has_client = false;
  Client client{};
};

// Both replies have a fixed size; this holds either.
inline constexpr size_t kMaxReplySize = 96;

// Writes the reply, if any, to `out` (kMaxReplySize bytes).
Verdict reply(const Frame& frame, const IpTable& table, bool expired, const ReceivingInterface& interface,
              uint8_t* out);

}  // namespace arpeggio
