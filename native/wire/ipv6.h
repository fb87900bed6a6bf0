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

// Whether all options of a hop-by-hop or destination options header may be skipped by who does not know them
// (RFC 8200 4.2: the two highest bits of the type are 00), and lie within the header.
inline bool may_skip_options(const uint8_t* options, size_t size) {
  while (size > 0) {
    const uint8_t type = options[0];
    if ((type & 0xc0) != 0) return false;
    const size_t option_size = type == 0 /* Pad1 */ ? 1 : size < 2 ? size + 1 : size_t{2} + options[1];
    if (option_size > size) return false;
    options += option_size;
    size -= option_size;
  }
  return true;
}

// Walks extension headers from `payload` to the ICMPv6 message. Bounded by the payload: each has at least 8 bytes.
// Headers that RFC 8200 lets nobody skip end the walk: hop-by-hop options behind another header, options that ask to be
// discarded when unknown, a routing header on its way to somebody else.
inline UpperLayer find_icmpv6(uint8_t next_header, const uint8_t* payload, size_t size) {
  for (bool first = true;; first = false) {
    if (next_header == kNextHeaderIcmpv6) return {ExtensionResult::kIcmpv6, payload, size};
    if (next_header == kNextHeaderFragment) return {ExtensionResult::kFragmented, nullptr, 0};
    const bool has_options = (next_header == kNextHeaderHopByHop && first) || next_header == kNextHeaderDestinationOptions;
    if (!has_options && next_header != kNextHeaderRouting) return {ExtensionResult::kOther, nullptr, 0};
    if (size < 8) return {ExtensionResult::kTruncated, nullptr, 0};
    const size_t header_size = (static_cast<size_t>(payload[1]) + 1) * 8;
    if (size < header_size) return {ExtensionResult::kTruncated, nullptr, 0};
    const bool passable = has_options ? may_skip_options(payload + 2, header_size - 2)
                                      : payload[3] == 0;  // segments left (RFC 8200 4.4)
    if (!passable) return {ExtensionResult::kOther, nullptr, 0};
    next_header = payload[0];
    payload += header_size;
    size -= header_size;
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
