// Custom mutations: half of the mutated frames are repaired so far that the parser goes on to what lies deeper.
#pragma once

#include "input.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ndp.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace arpeggio::fuzz {

// A destination that reply() accepts: broadcast, a group or the node's MAC, by two bits of the seed.
inline void repair_destination(uint8_t* frame, unsigned seed) {
  if ((seed & 1) != 0) return;
  std::memcpy(frame, (seed & 2) != 0 ? wire::kBroadcastMac.data() : kNodeMac.data(), 6);
}

inline void repair_arp(uint8_t* frame, size_t size, unsigned seed) {
  if (size < wire::kEthernetHeaderSize + wire::kArpSize) return;
  repair_destination(frame, seed);
  wire::store16(frame + 12, wire::kEtherTypeArp);
  uint8_t* arp = frame + wire::kEthernetHeaderSize;
  wire::store16(arp, wire::kArpHardwareEthernet);
  wire::store16(arp + 2, wire::kArpProtocolIpv4);
  arp[4] = 6;
  arp[5] = 4;
  if ((seed & 4) != 0) std::memcpy(arp + 24, kIpv4Prefix, sizeof kIpv4Prefix);
}

inline void repair_ndp(uint8_t* frame, size_t size, unsigned seed) {
  constexpr size_t kHeaders = wire::kEthernetHeaderSize + wire::kIpv6HeaderSize;
  if (size < kHeaders) return;
  repair_destination(frame, seed);
  wire::store16(frame + 12, wire::kEtherTypeIpv6);
  uint8_t* ip = frame + wire::kEthernetHeaderSize;
  ip[0] = static_cast<uint8_t>(0x60 | (ip[0] & 0x0f));
  ip[7] = wire::kNdpHopLimit;
  wire::store16(ip + 4, static_cast<uint16_t>(size - kHeaders));
  const wire::UpperLayer upper = wire::find_icmpv6(ip[6], frame + kHeaders, size - kHeaders);
  if (upper.result != wire::ExtensionResult::kIcmpv6 || upper.size < wire::kNdpMessageSize) return;
  uint8_t* message = frame + (upper.bytes - frame);
  message[0] = (seed & 4) != 0 ? wire::kNeighborSolicitation : wire::kNeighborAdvertisement;
  message[1] = 0;
  if ((seed & 8) != 0) std::memcpy(message + 8, kIpv6Prefix, sizeof kIpv6Prefix);
  // Duplicate address detection goes to the target's group (RFC 4862 5.4.2).
  if ((seed & 16) != 0) wire::store_solicited_node_group(ip + 24, message + 8);
  wire::store16(message + 2, 0);
  wire::store16(message + 2, wire::icmpv6_checksum(ip + 8, ip + 24, message, upper.size));
}

inline size_t mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                     void (*repair)(uint8_t* frame, size_t size, unsigned seed)) {
  const size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if ((seed & 1) != 0 && mutated > kPrefixSize) repair(data + kPrefixSize, mutated - kPrefixSize, seed >> 1);
  return mutated;
}

}  // namespace arpeggio::fuzz
