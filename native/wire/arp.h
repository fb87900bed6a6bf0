// ARP for IPv4 over Ethernet (RFC 826), probes and announcements (RFC 5227).
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/ethernet.h"

namespace arpeggio::wire {

inline constexpr uint16_t kArpHardwareEthernet = 1;
// IEEE 802 networks; Linux accepts it beside 1.
inline constexpr uint16_t kArpHardwareIeee802 = 6;
inline constexpr uint16_t kArpProtocolIpv4 = 0x0800;
inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

inline constexpr size_t kArpSize = 28;
inline constexpr size_t kArpFrameSize = kEthernetMinimumSize;

// Views the 28 bytes after the Ethernet header under their RFC 826 names. The caller has checked the length.
struct ArpView {
  const uint8_t* bytes;

  uint16_t htype() const { return load16(bytes); }
  uint16_t ptype() const { return load16(bytes + 2); }
  uint8_t hlen() const { return bytes[4]; }
  uint8_t plen() const { return bytes[5]; }
  uint16_t op() const { return load16(bytes + 6); }
  const uint8_t* sha() const { return bytes + 8; }
  const uint8_t* spa() const { return bytes + 14; }
  const uint8_t* tha() const { return bytes + 18; }
  const uint8_t* tpa() const { return bytes + 24; }
};

struct ArpFields {
  const uint8_t* destination;  // Ethernet
  uint16_t op;
  const uint8_t* sha;  // also the Ethernet source
  const uint8_t* spa;
  const uint8_t* tha;
  const uint8_t* tpa;
};

// Writes a whole frame of kArpFrameSize bytes, zero padded. Returns its size.
size_t store_arp_frame(uint8_t* frame, const ArpFields& fields);

// RFC 5227 2.1.1: broadcast request with spa 0 and tha 0.
size_t store_arp_probe(uint8_t* frame, const uint8_t* mac, const uint8_t* address);

// RFC 5227 2.3: broadcast request with spa = tpa. Every stack that follows gratuitous ARP at all follows this form.
size_t store_arp_announcement_request(uint8_t* frame, const uint8_t* mac, const uint8_t* address);

// RFC 826: unicast request who-has `client` tell `address`. It moves the client's entry for `address` to `mac`, also
// where gratuitous ARP is ignored, and the answer to it proves that.
size_t store_directed_arp_request(uint8_t* frame, const uint8_t* mac, const uint8_t* address, const uint8_t* client_mac,
                                  const uint8_t* client);

// RFC 5944 4.6: broadcast reply with tha = sha; with any other tha Linux ignores it during its locktime.
size_t store_arp_announcement_reply(uint8_t* frame, const uint8_t* mac, const uint8_t* address);

}  // namespace arpeggio::wire
