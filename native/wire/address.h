// IP addresses as the wire and the table know them.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace arpeggio::wire {

// 16 bytes; IPv4 is stored IPv4-mapped, ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that one table holds both families.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  static IpAddress from_ipv4(const uint8_t* four) {
    IpAddress address;
    address.bytes[10] = 0xff;
    address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, four, 4);
    return address;
  }

  static IpAddress from_ipv6(const uint8_t* sixteen) {
    IpAddress address;
    std::memcpy(address.bytes.data(), sixteen, 16);
    return address;
  }

  bool is_ipv4() const {
    static constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes.data(), kMappedPrefix, sizeof kMappedPrefix) == 0;
  }

  uint64_t half(size_t index) const {
    uint64_t value;
    std::memcpy(&value, bytes.data() + index * 8, sizeof value);
    return value;
  }

  const uint8_t* ipv4() const { return bytes.data() + 12; }
  const uint8_t* ipv6() const { return bytes.data(); }

  // Two words: a call of memcmp for each look-up shows in profiles.
  bool operator==(const IpAddress& other) const { return half(0) == other.half(0) && half(1) == other.half(1); }
  bool operator!=(const IpAddress& other) const { return !(*this == other); }
  bool operator<(const IpAddress& other) const { return bytes < other.bytes; }
};

inline bool is_ipv4_unspecified(const uint8_t* address) {
  return (address[0] | address[1] | address[2] | address[3]) == 0;
}
inline bool is_ipv4_loopback(const uint8_t* address) { return address[0] == 127; }
// Class D and E and the limited broadcast: nothing from 224.0.0.0 up is a host.
inline bool is_ipv4_multicast_or_reserved(const uint8_t* address) { return address[0] >= 224; }

inline bool is_ipv6_unspecified(const uint8_t* address) {
  static constexpr uint8_t kZero[16] = {};
  return std::memcmp(address, kZero, sizeof kZero) == 0;
}
inline bool is_ipv6_loopback(const uint8_t* address) {
  static constexpr uint8_t kLoopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return std::memcmp(address, kLoopback, sizeof kLoopback) == 0;
}
inline bool is_ipv6_multicast(const uint8_t* address) { return address[0] == 0xff; }

// ff02::1 (RFC 4291 2.7.1)
inline constexpr uint8_t kAllNodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

// ff02::1:ffXX:XXXX of an address (RFC 4291 2.7.1): its low 24 bits in a fixed prefix.
inline constexpr uint8_t kSolicitedNodePrefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

inline void store_solicited_node_group(uint8_t* group, const uint8_t* address) {
  std::memcpy(group, kSolicitedNodePrefix, sizeof kSolicitedNodePrefix);
  std::memcpy(group + 13, address + 13, 3);
}

}  // namespace arpeggio::wire
