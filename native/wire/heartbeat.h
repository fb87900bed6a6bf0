// Frames of the heartbeat protocol: heartbeats and messages between nodes, in Ethernet frames of their own. The table of
// fields is in ARCHITECTURE.md. Parsing checks every length before it reads; whether a frame is genuine, new and of
// somebody we know is not decided here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/ethernet.h"

namespace arpeggio::wire {

// IEEE 802 Local Experimental EtherType 1 (IEEE 802 9.2.3).
inline constexpr uint16_t kEtherTypeHeartbeat = 0x88b5;
// A locally administered group: bridges flood it and forward it past 802.1D's reserved range.
inline constexpr Mac kHeartbeatGroup = {0x03, 0x61, 0x72, 0x70, 0x67, 0x00};

inline constexpr uint8_t kHeartbeatMajor = 1;
inline constexpr uint8_t kHeartbeatMinor = 0;
inline constexpr uint8_t kHeartbeatKind = 1;
inline constexpr uint8_t kMessageKind = 2;
inline constexpr uint8_t kHasMacFlag = 1;

// Without the name.
inline constexpr size_t kHeartbeatHeaderSize = 43;
// Without the entries.
inline constexpr size_t kHeartbeatBodySize = 13;
inline constexpr size_t kHeardEntrySize = 16;
inline constexpr size_t kHeartbeatMacSize = 16;
inline constexpr size_t kMaxNodeNameSize = 253;
inline constexpr size_t kMaxMessageSize = 1200;
// Of an Ethernet frame without its check sequence, at the usual MTU of 1,500.
inline constexpr size_t kMaxHeartbeatFrameSize = 1514;
// The MAC covers the frame from the Ethernet source address on.
inline constexpr size_t kAuthenticatedFrom = 6;

using ClusterId = std::array<uint8_t, 8>;
using HeartbeatMac = std::array<uint8_t, kHeartbeatMacSize>;

enum class NodeState : uint8_t { kJoining = 0, kReady = 1, kDraining = 2, kLeaving = 3 };

struct HeartbeatHeader {
  uint8_t minor;
  uint8_t kind;
  ClusterId cluster;
  uint64_t incarnation;  // not 0
  uint64_t sequence;     // not 0
  uint32_t interval_us;  // not 0
  uint8_t multiplier;    // not 0
  NodeState state;
  std::string_view name;  // 1..kMaxNodeNameSize bytes, in the frame
};

// A peer that the sender hears.
struct HeardEntry {
  uint64_t incarnation;
  uint32_t sequence;      // low half of the last one heard from it
  uint32_t held_version;  // of its claims, that the sender holds
};

// Reads the entries of a heartbeat where they are.
struct HeardEntries {
  const uint8_t* bytes = nullptr;
  size_t count = 0;

  HeardEntry at(size_t index) const {
    const uint8_t* entry = bytes + index * kHeardEntrySize;
    return {load64(entry), load32(entry + 8), load32(entry + 12)};
  }
};

struct HeartbeatBody {
  uint32_t claims_version;
  uint32_t claims_digest;
  uint16_t peer_count;  // in all slices
  uint8_t slice;        // < slices
  uint8_t slices;       // from 1
  HeardEntries entries;
};

enum class HeartbeatSyntax : uint8_t {
  kValid,
  kMalformed,
  kOtherMajor,   // nothing beyond magic and major was read
  kUnknownKind,  // the header is valid, the body was not read
};

// A frame that has been checked; views into it.
struct HeartbeatFrame {
  HeartbeatHeader header;
  HeartbeatBody heartbeat;    // of kind kHeartbeatKind
  const uint8_t* body;        // as it is in the frame
  size_t body_size;
  const uint8_t* mac;         // kHeartbeatMacSize bytes, or nullptr: the frame carries none
  size_t authenticated_size;  // from kAuthenticatedFrom to the end of the body
};

// Parses a frame from its Ethernet header on. `parsed` is whole only when the result is kValid.
HeartbeatSyntax parse_heartbeat(const uint8_t* frame, size_t size, HeartbeatFrame& parsed);

// Builders write a frame up to the end of its body, without Ethernet padding, into kMaxHeartbeatFrameSize bytes, and return
// its size so far. With `with_mac` the lengths and flags already count the MAC that the caller appends.
size_t store_heartbeat(uint8_t* frame, const Mac& source, const HeartbeatHeader& header, const HeartbeatBody& body,
                       const HeardEntry* entries, bool with_mac);
// `size` is at most kMaxMessageSize and leaves room for the header.
size_t store_message(uint8_t* frame, const Mac& source, const HeartbeatHeader& header, const uint8_t* message,
                     size_t size, bool with_mac);

// Zeroes from `size` up to Ethernet's minimum; returns the size to send.
size_t pad_frame(uint8_t* frame, size_t size);

// How many entries fit a heartbeat of a node with a name of this length, MAC counted.
constexpr size_t heard_entries_that_fit(size_t name_size) {
  const size_t left = kMaxHeartbeatFrameSize - kEthernetHeaderSize - kHeartbeatHeaderSize - name_size -
                      kHeartbeatBodySize - kHeartbeatMacSize;
  return left / kHeardEntrySize;
}

}  // namespace arpeggio::wire
