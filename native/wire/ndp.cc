#include "wire/ndp.h"

#include <cstring>

#include "wire/address.h"
#include "wire/checksum.h"

namespace arpeggio::wire {

namespace {

constexpr uint32_t kFlagSolicited = 0x40000000;
constexpr uint32_t kFlagOverride = 0x20000000;

void store_checksum(uint8_t* frame, size_t message_size) {
  const Ipv6View header{frame + kEthernetHeaderSize};
  uint8_t* message = frame + kEthernetHeaderSize + kIpv6HeaderSize;
  store16(message + 2, icmpv6_checksum(header.source(), header.destination(), message, message_size));
}

// With one option of 8 bytes: a MAC or a nonce, both of 6.
size_t store_solicitation(uint8_t* frame, const uint8_t* ethernet_destination, const uint8_t* mac,
                          const uint8_t* source, const uint8_t* destination, const uint8_t* target, uint8_t option,
                          const uint8_t* value) {
  constexpr size_t kMessageSize = kNdpMessageSize + kNdpLinkLayerOptionSize;
  static_assert(kNdpNonceOptionSize == kNdpLinkLayerOptionSize && kNdpNonceSize == 6);
  store_ethernet_header(frame, ethernet_destination, mac, kEtherTypeIpv6);
  store_ipv6_header(frame + kEthernetHeaderSize, kMessageSize, kNdpHopLimit, source, destination);
  uint8_t* message = frame + kEthernetHeaderSize + kIpv6HeaderSize;
  message[0] = kNeighborSolicitation;
  message[1] = 0;
  store16(message + 2, 0);
  store32(message + 4, 0);
  std::memcpy(message + 8, target, 16);
  message[24] = option;
  message[25] = 1;
  std::memcpy(message + 26, value, 6);
  store_checksum(frame, kMessageSize);
  return kNdpFrameSize;
}

}  // namespace

NdpOptions parse_ndp_options(const uint8_t* options, size_t size, uint8_t type) {
  NdpOptions result;
  while (size > 0) {
    if (size < 2) return {false, nullptr};
    const size_t option_size = static_cast<size_t>(options[1]) * 8;
    if (option_size == 0 || option_size > size) return {false, nullptr};
    if (options[0] == type) {
      if (option_size != kNdpLinkLayerOptionSize) return {false, nullptr};
      result.link_layer_address = options + 2;
    }
    options += option_size;
    size -= option_size;
  }
  return result;
}

size_t store_neighbor_advertisement(uint8_t* frame, const AdvertisementFields& fields) {
  constexpr size_t kMessageSize = kNdpMessageSize + kNdpLinkLayerOptionSize;
  store_ethernet_header(frame, fields.ethernet_destination, fields.mac, kEtherTypeIpv6);
  store_ipv6_header(frame + kEthernetHeaderSize, kMessageSize, kNdpHopLimit, fields.target, fields.destination);
  uint8_t* message = frame + kEthernetHeaderSize + kIpv6HeaderSize;
  message[0] = kNeighborAdvertisement;
  message[1] = 0;
  store16(message + 2, 0);
  store32(message + 4, (fields.solicited ? kFlagSolicited : 0) | (fields.override_flag ? kFlagOverride : 0));
  std::memcpy(message + 8, fields.target, 16);
  message[24] = kOptionTargetLinkLayerAddress;
  message[25] = 1;
  std::memcpy(message + 26, fields.mac, 6);
  store_checksum(frame, kMessageSize);
  return kNdpFrameSize;
}

size_t store_unsolicited_advertisement(uint8_t* frame, const uint8_t* mac, const uint8_t* address) {
  const Mac destination = multicast_mac(kAllNodes);
  return store_neighbor_advertisement(frame, {destination.data(), mac, kAllNodes, address, false, true});
}

size_t store_directed_advertisement(uint8_t* frame, const uint8_t* mac, const uint8_t* address,
                                    const uint8_t* client_mac, const uint8_t* client) {
  return store_neighbor_advertisement(frame, {client_mac, mac, client, address, false, true});
}

size_t store_directed_solicitation(uint8_t* frame, const uint8_t* mac, const uint8_t* address,
                                   const uint8_t* client_mac, const uint8_t* client) {
  return store_solicitation(frame, client_mac, mac, address, client, client, kOptionSourceLinkLayerAddress, mac);
}

size_t store_dad_solicitation(uint8_t* frame, const uint8_t* mac, const uint8_t* address, const Nonce& nonce) {
  static constexpr uint8_t kUnspecified[16] = {};
  uint8_t group[16];
  store_solicited_node_group(group, address);
  const Mac destination = multicast_mac(group);
  return store_solicitation(frame, destination.data(), mac, kUnspecified, group, address, kOptionNonce, nonce.data());
}

Mac multicast_mac(const uint8_t* group) { return {0x33, 0x33, group[12], group[13], group[14], group[15]}; }

}  // namespace arpeggio::wire
