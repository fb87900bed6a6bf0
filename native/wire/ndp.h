// Neighbor Solicitation and Advertisement (RFC 4861 4.3, 4.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "wire/ethernet.h"
#include "wire/ipv6.h"

namespace arpeggio::wire {

inline constexpr uint8_t kNeighborSolicitation = 135;
inline constexpr uint8_t kNeighborAdvertisement = 136;

inline constexpr uint8_t kOptionSourceLinkLayerAddress = 1;
inline constexpr uint8_t kOptionTargetLinkLayerAddress = 2;
inline constexpr uint8_t kOptionNonce = 14;  // RFC 3971 5.3.2, for duplicate address detection RFC 7527

// Type, code, checksum, reserved or flags, target.
inline constexpr size_t kNdpMessageSize = 24;
inline constexpr size_t kNdpLinkLayerOptionSize = 8;
inline constexpr size_t kNdpNonceOptionSize = 8;
inline constexpr size_t kNdpNonceSize = 6;
inline constexpr size_t kNdpFrameSize =
    kEthernetHeaderSize + kIpv6HeaderSize + kNdpMessageSize + kNdpLinkLayerOptionSize;

using Nonce = std::array<uint8_t, kNdpNonceSize>;

// Views a message of at least kNdpMessageSize bytes.
struct NdpView {
  const uint8_t* bytes;

  uint8_t type() const { return bytes[0]; }
  uint8_t code() const { return bytes[1]; }
  const uint8_t* target() const { return bytes + 8; }
};

struct NdpOptions {
  bool valid = true;                            // false: an option of length 0, or past the end
  const uint8_t* link_layer_address = nullptr;  // 6 bytes of the option asked for; the last one counts
};

// Parses all options and returns the link-layer address of `type`: SLLAO of a solicitation, TLLAO of an advertisement.
// All others are skipped (RFC 4861 7.1.1). One of `type` that is not 8 bytes long is none of Ethernet: not valid.
NdpOptions parse_ndp_options(const uint8_t* options, size_t size, uint8_t type);

struct AdvertisementFields {
  const uint8_t* ethernet_destination;
  const uint8_t* mac;          // Ethernet source and TLLAO
  const uint8_t* destination;  // IPv6
  const uint8_t* target;       // also the IPv6 source: some stacks file an NA under its source
  bool solicited;
  bool override_flag;
};

// Writes a whole frame of kNdpFrameSize bytes, R=0, with TLLAO. Returns its size.
size_t store_neighbor_advertisement(uint8_t* frame, const AdvertisementFields& fields);

// RFC 4861 7.2.6: to ff02::1, S=0, O=1.
size_t store_unsolicited_advertisement(uint8_t* frame, const uint8_t* mac, const uint8_t* address);

// RFC 4861 7.2.6, to one client alone: S=0, O=1.
size_t store_directed_advertisement(uint8_t* frame, const uint8_t* mac, const uint8_t* address,
                                    const uint8_t* client_mac, const uint8_t* client);

// RFC 4861 7.2.2, 7.3.3: unicast NS for `client` from `address`, with SLLAO. It moves the client's entry for `address` to
// `mac`, also where unsolicited advertisements are ignored, and the answer to it proves that.
size_t store_directed_solicitation(uint8_t* frame, const uint8_t* mac, const uint8_t* address,
                                   const uint8_t* client_mac, const uint8_t* client);

// RFC 4862 5.4.2: NS from :: to the solicited-node group, no SLLAO, with a nonce (RFC 7527).
size_t store_dad_solicitation(uint8_t* frame, const uint8_t* mac, const uint8_t* address, const Nonce& nonce);

// 33:33 and the low 32 bits of the group (RFC 2464 7).
Mac multicast_mac(const uint8_t* group);

}  // namespace arpeggio::wire
