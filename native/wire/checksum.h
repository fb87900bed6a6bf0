// Internet checksum (RFC 1071) with the IPv6 pseudo-header (RFC 8200 8.1).
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/byte_order.h"

namespace arpeggio::wire {

// One's complement sum of `size` bytes, not folded. At most 64 KiB.
inline uint32_t checksum_sum(const uint8_t* bytes, size_t size) {
  uint32_t sum = 0;
  for (; size > 1; bytes += 2, size -= 2) sum += load16(bytes);
  if (size == 1) sum += static_cast<uint32_t>(bytes[0] << 8);
  return sum;
}

// ICMPv6 checksum over source, destination (16 bytes each) and message. 0 when the message carries a right one;
// for a message whose checksum field is zero: the value to put there.
inline uint16_t icmpv6_checksum(const uint8_t* source, const uint8_t* destination, const uint8_t* message,
                                size_t size) {
  uint32_t sum = checksum_sum(source, 16) + checksum_sum(destination, 16) + checksum_sum(message, size) +
                 static_cast<uint32_t>(size) + 58 /* ICMPv6 */;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace arpeggio::wire
