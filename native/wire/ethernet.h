// Ethernet II frames (RFC 894).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/byte_order.h"

namespace arpeggio::wire {

using Mac = std::array<uint8_t, 6>;

inline constexpr size_t kEthernetHeaderSize = 14;
// Without the frame check sequence. We pad to it ourselves: what is left to a driver may carry memory it should not.
inline constexpr size_t kEthernetMinimumSize = 60;

inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;
inline constexpr uint16_t kEtherTypeServiceVlan = 0x88a8;

inline constexpr Mac kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// Group bit (IEEE 802.3 3.2.3): multicast, and broadcast too.
inline bool is_group_mac(const uint8_t* mac) { return (mac[0] & 1) != 0; }
inline bool is_zero_mac(const uint8_t* mac) { return (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) == 0; }
inline bool is_unicast_mac(const uint8_t* mac) { return !is_group_mac(mac) && !is_zero_mac(mac); }
inline bool equal_mac(const uint8_t* a, const uint8_t* b) { return std::memcmp(a, b, 6) == 0; }
inline Mac load_mac(const uint8_t* bytes) {
  Mac mac;
  std::memcpy(mac.data(), bytes, 6);
  return mac;
}

inline void store_ethernet_header(uint8_t* frame, const uint8_t* destination, const uint8_t* source,
                                  uint16_t ether_type) {
  std::memcpy(frame, destination, 6);
  std::memcpy(frame + 6, source, 6);
  store16(frame + 12, ether_type);
}

}  // namespace arpeggio::wire
