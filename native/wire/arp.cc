#include "wire/arp.h"

#include <cstring>

namespace arpeggio::wire {

namespace {
constexpr uint8_t kZero[6] = {};
}

size_t store_arp_frame(uint8_t* frame, const ArpFields& fields) {
  store_ethernet_header(frame, fields.destination, fields.sha, kEtherTypeArp);
  uint8_t* arp = frame + kEthernetHeaderSize;
  store16(arp, kArpHardwareEthernet);
  store16(arp + 2, kArpProtocolIpv4);
  arp[4] = 6;
  arp[5] = 4;
  store16(arp + 6, fields.op);
  std::memcpy(arp + 8, fields.sha, 6);
  std::memcpy(arp + 14, fields.spa, 4);
  std::memcpy(arp + 18, fields.tha, 6);
  std::memcpy(arp + 24, fields.tpa, 4);
  std::memset(arp + kArpSize, 0, kArpFrameSize - kEthernetHeaderSize - kArpSize);
  return kArpFrameSize;
}

size_t store_arp_probe(uint8_t* frame, const uint8_t* mac, const uint8_t* address) {
  return store_arp_frame(frame, {kBroadcastMac.data(), kArpRequest, mac, kZero, kZero, address});
}

size_t store_arp_announcement_request(uint8_t* frame, const uint8_t* mac, const uint8_t* address) {
  return store_arp_frame(frame, {kBroadcastMac.data(), kArpRequest, mac, address, kZero, address});
}

size_t store_directed_arp_request(uint8_t* frame, const uint8_t* mac, const uint8_t* address, const uint8_t* client_mac,
                                  const uint8_t* client) {
  return store_arp_frame(frame, {client_mac, kArpRequest, mac, address, kZero, client});
}

size_t store_arp_announcement_reply(uint8_t* frame, const uint8_t* mac, const uint8_t* address) {
  return store_arp_frame(frame, {kBroadcastMac.data(), kArpReply, mac, address, mac, address});
}

}  // namespace arpeggio::wire
