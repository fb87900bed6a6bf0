// IPv6 header and extension headers (RFC 8200), as far as NDP needs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/byte_order.h"

namespace arpeggio::wire {

inline constexpr size_t kIpv6HeaderSize = 40;

inline constexpr uint8_t kNextHeaderHopByHop = 0;
inline constexpr uint8_t kNextHeaderRouting = 43;
inline constexpr uint8_t kNextHeaderFragment = 44;
inline constexpr uint8_t kNextHeaderIcmpv6 = 58;
inline constexpr uint8_t kNextHeaderDestinationOptions = 60;

// NDP's hop limit (RFC 4861 7.1.1): proof that no router forwarded the packet.
inline constexpr uint8_t kNdpHopLimit = 255;

// Views the fixed header. The caller has checked that 40 bytes are there.
struct Ipv6View {
  const uint8_t* bytes;

  uint8_t version() const { return bytes[0] >> 4; }
  uint16_t payload_length() const { return load16(bytes + 4); }
  uint8_t next_header() const { return bytes[6]; }
  uint8_t hop_limit() const { return bytes[7]; }
  const uint8_t* source() const { return bytes + 8; }
  const uint8_t* destination() const { return bytes + 24; }
};

enum class ExtensionResult : uint8_t { kIcmpv6, kFragmented, kOther, kTruncated };

struct UpperLayer {
  ExtensionResult result;
  const uint8_t* bytes;  // the ICMPv6 message
  size_t size;
};

// Walks hop-by-hop, routing and destination-option headers from `payload` to the ICMPv6 message.
// Bounded by the payload: each header has at least 8 bytes.
inline UpperLayer find_icmpv6(uint8_t next_header, const uint8_t* payload, size_t size) {
  for (;;) {
    switch (next_header) {
      case kNextHeaderIcmpv6:
        return {ExtensionResult::kIcmpv6, payload, size};
      case kNextHeaderFragment:
        return {ExtensionResult::kFragmented, nullptr, 0};
      case kNextHeaderHopByHop:
      case kNextHeaderRouting:
      case kNextHeaderDestinationOptions: {
        if (size < 8) return {ExtensionResult::kTruncated, nullptr, 0};
        const size_t header_size = (static_cast<size_t>(payload[1]) + 1) * 8;
        if (size < header_size) return {ExtensionResult::kTruncated, nullptr, 0};
        // Segments left: the packet is on its way to somebody else (RFC 8200 4.4).
        if (next_header == kNextHeaderRouting && payload[3] != 0) return {ExtensionResult::kOther, nullptr, 0};
        next_header = payload[0];
        payload += header_size;
        size -= header_size;
        break;
      }
      default:
        return {ExtensionResult::kOther, nullptr, 0};
    }
  }
}

inline void store_ipv6_header(uint8_t* header, uint16_t payload_length, uint8_t hop_limit, const uint8_t* source,
                              const uint8_t* destination) {
  store32(header, 0x60000000);
  store16(header + 4, payload_length);
  header[6] = kNextHeaderIcmpv6;
  header[7] = hop_limit;
  std::memcpy(header + 8, source, 16);
  std::memcpy(header + 24, destination, 16);
}

}  // namespace arpeggio::wire
