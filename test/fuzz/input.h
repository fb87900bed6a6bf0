// How a fuzz input becomes a frame: two bytes say how it came to the socket, the rest is the frame. Seeds in corpus/ are
// made the same way.
//   byte 0: bits 0-2 sll_pkttype (modulo 5), bit 3 a VLAN tag was stripped, bit 4 the table has expired
//   byte 1: VLAN id of that tag
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ip_table.h"
#include "reply.h"

namespace arpeggio::fuzz {

inline constexpr size_t kPrefixSize = 2;
inline constexpr wire::Mac kNodeMac = {0x02, 0, 0, 0, 0, 0x10};
inline constexpr wire::Mac kSecondMac = {0x02, 0, 0, 0, 0, 0x11};
inline constexpr uint8_t kIpv4Prefix[3] = {192, 0, 2};
inline constexpr uint8_t kIpv6Prefix[15] = {0x20, 0x01, 0x0d, 0xb8};
inline constexpr unsigned kSlot = 0;

// Last byte of an address, both families, as in test/vectors.
inline constexpr uint8_t kAnswered = 10;
inline constexpr uint8_t kElsewhere = 11;
inline constexpr uint8_t kHeldBack = 12;
inline constexpr uint8_t kTentative = 13;

inline wire::IpAddress make_ipv4(uint8_t last) {
  const uint8_t bytes[4] = {kIpv4Prefix[0], kIpv4Prefix[1], kIpv4Prefix[2], last};
  return wire::IpAddress::from_ipv4(bytes);
}

inline wire::IpAddress make_ipv6(uint8_t last) {
  uint8_t bytes[16] = {};
  std::memcpy(bytes, kIpv6Prefix, sizeof kIpv6Prefix);
  bytes[15] = last;
  return wire::IpAddress::from_ipv6(bytes);
}

inline const IpTable& table() {
  static const IpTable kTable = [] {
    std::vector<IpTableEntry> entries;
    for (auto* make : {make_ipv4, make_ipv6}) {
      const auto counter = static_cast<uint32_t>(entries.size());
      entries.push_back({make(kAnswered), slot_bit(kSlot), slot_bit(kSlot), 0, counter});
      entries.push_back({make(kElsewhere), slot_bit(1), slot_bit(1), 0, counter + 1});
      entries.push_back({make(kHeldBack), slot_bit(kSlot), 0, 0, counter + 2});
      entries.push_back({make(kTentative), slot_bit(kSlot), slot_bit(kSlot), slot_bit(kSlot), counter + 3});
    }
    return IpTable({"eth0", "eth1"}, std::move(entries));
  }();
  return kTable;
}

inline const OwnMacs& own_macs() {
  static const OwnMacs kMacs({kNodeMac, kSecondMac});
  return kMacs;
}

struct Input {
  std::vector<uint8_t> bytes;  // of exactly the frame's size, so that a read past its end is found
  Frame frame;
  bool expired;
};

// False when there is no room for the prefix.
inline bool read_input(const uint8_t* data, size_t size, Input& input) {
  if (size < kPrefixSize) return false;
  input.bytes.assign(data + kPrefixSize, data + size);
  input.frame = {input.bytes.data(), input.bytes.size(), static_cast<PacketType>((data[0] & 7) % 5),
                 (data[0] & 8) != 0, data[1]};
  input.expired = (data[0] & 16) != 0;
  return true;
}

}  // namespace arpeggio::fuzz
