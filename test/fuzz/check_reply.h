// What must hold for whatever reply() does with a frame. Written against the RFCs and the table of input.h, not against
// reply.cc.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "input.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ndp.h"

#define ARPEGGIO_CHECK(condition)                                                      \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);     \
      std::abort();                                                                    \
    }                                                                                  \
  } while (false)

namespace arpeggio::fuzz {

inline bool same_bytes(const uint8_t* a, const uint8_t* b, size_t size) { return std::memcmp(a, b, size) == 0; }

// RFC 826, RFC 5227: a request for an answered address, unicast back to its sha.
inline void check_arp_reply(const Frame& frame, const uint8_t* out, size_t size) {
  const wire::ArpView request{frame.bytes + wire::kEthernetHeaderSize};
  const wire::ArpView answer{out + wire::kEthernetHeaderSize};
  ARPEGGIO_CHECK(size == wire::kArpFrameSize);
  ARPEGGIO_CHECK(request.op() == wire::kArpRequest && answer.op() == wire::kArpReply);
  ARPEGGIO_CHECK(same_bytes(request.tpa(), kIpv4Prefix, 3));
  ARPEGGIO_CHECK(request.tpa()[3] == kAnswered || request.tpa()[3] == kTentative);
  ARPEGGIO_CHECK(same_bytes(answer.sha(), kNodeMac.data(), 6) && same_bytes(answer.spa(), request.tpa(), 4));
  ARPEGGIO_CHECK(same_bytes(answer.tha(), request.sha(), 6) && same_bytes(answer.tpa(), request.spa(), 4));
  ARPEGGIO_CHECK(same_bytes(out, request.sha(), 6) && !wire::is_group_mac(out));
  for (size_t at = wire::kEthernetHeaderSize + wire::kArpSize; at < size; ++at) ARPEGGIO_CHECK(out[at] == 0);
}

// RFC 4861 7.2.4, RFC 4862 5.4.3: to the sender, or to all nodes when the sender has no address yet.
inline void check_advertisement(const Frame& frame, const uint8_t* out, size_t size) {
  const wire::Ipv6View request{frame.bytes + wire::kEthernetHeaderSize};
  const wire::Ipv6View answer{out + wire::kEthernetHeaderSize};
  const uint8_t* message = out + wire::kEthernetHeaderSize + wire::kIpv6HeaderSize;
  const uint8_t* target = message + 8;
  constexpr size_t kMessageSize = wire::kNdpMessageSize + wire::kNdpLinkLayerOptionSize;
  ARPEGGIO_CHECK(size == wire::kNdpFrameSize && request.hop_limit() == 255);
  ARPEGGIO_CHECK(answer.hop_limit() == 255 && answer.payload_length() == kMessageSize);
  ARPEGGIO_CHECK(message[0] == wire::kNeighborAdvertisement && message[1] == 0);
  ARPEGGIO_CHECK(wire::icmpv6_checksum(answer.source(), answer.destination(), message, kMessageSize) == 0);
  ARPEGGIO_CHECK(same_bytes(target, kIpv6Prefix, 15) && same_bytes(answer.source(), target, 16));
  ARPEGGIO_CHECK(target[15] == kAnswered || target[15] == kTentative);
  ARPEGGIO_CHECK(message[24] == wire::kOptionTargetLinkLayerAddress && message[25] == 1);
  ARPEGGIO_CHECK(same_bytes(message + 26, kNodeMac.data(), 6));
  const bool solicited = (message[4] & 0x40) != 0;
  const bool override_flag = (message[4] & 0x20) != 0;
  ARPEGGIO_CHECK((message[4] & 0x80) == 0);
  ARPEGGIO_CHECK(override_flag == (target[15] == kAnswered));
  if (wire::is_ipv6_unspecified(request.source())) {
    ARPEGGIO_CHECK(!solicited && target[15] == kAnswered);
    ARPEGGIO_CHECK(same_bytes(answer.destination(), wire::kAllNodes, 16) && wire::is_group_mac(out));
  } else {
    ARPEGGIO_CHECK(solicited && same_bytes(answer.destination(), request.source(), 16));
    ARPEGGIO_CHECK(!wire::is_group_mac(out));
  }
}

// A client is a host, not us, and of the family that it asked in; who confirms does so at our MAC.
inline void check_client(const Frame& frame, const Verdict& verdict) {
  ARPEGGIO_CHECK(verdict.entry != nullptr && (verdict.entry->selected & slot_bit(kSlot)) != 0);
  ARPEGGIO_CHECK(wire::is_unicast_mac(verdict.client.mac.data()));
  ARPEGGIO_CHECK(!own_macs().contains(verdict.client.mac.data()));
  const bool ipv4 = wire::load16(frame.bytes + 12) == wire::kEtherTypeArp;
  ARPEGGIO_CHECK(verdict.client.address.is_ipv4() == ipv4 && verdict.entry->address.is_ipv4() == ipv4);
  ARPEGGIO_CHECK(verdict.client.address != verdict.entry->address);
  ARPEGGIO_CHECK(!wire::is_ipv6_unspecified(verdict.client.address.ipv6()));
  ARPEGGIO_CHECK(!ipv4 || !wire::is_ipv4_unspecified(verdict.client.address.ipv4()));
  if (!verdict.is_request) ARPEGGIO_CHECK(same_bytes(frame.bytes, kNodeMac.data(), 6));
}

// Runs reply() and holds its outcome to the rules; returns it.
inline Verdict check_reply(const Input& input) {
  const Frame& frame = input.frame;
  const ReceivingInterface interface{kSlot, kNodeMac, &own_macs()};
  const std::unique_ptr<uint8_t[]> out(new uint8_t[kMaxReplySize]);
  const Verdict verdict = reply(frame, table(), input.expired, interface, out.get());
  if (verdict.has_rival) {
    ARPEGGIO_CHECK(verdict.entry != nullptr && (verdict.entry->selected & slot_bit(kSlot)) != 0);
    ARPEGGIO_CHECK(!own_macs().contains(verdict.rival.mac.data()));
  }
  if (verdict.is_request) ARPEGGIO_CHECK(verdict.entry != nullptr);
  if (verdict.has_client) check_client(frame, verdict);
  ARPEGGIO_CHECK((verdict.reply_size == 0 && verdict.drop == DropReason::kConfirmation) ==
                 (verdict.has_client && !verdict.is_request));
  if (verdict.reply_size == 0) {
    ARPEGGIO_CHECK(static_cast<size_t>(verdict.drop) < kDropReasonCount);
    return verdict;
  }
  ARPEGGIO_CHECK(verdict.reply_size <= kMaxReplySize && !input.expired && verdict.is_request);
  ARPEGGIO_CHECK(frame.type != PacketType::kOutgoing && frame.type != PacketType::kOtherHost);
  ARPEGGIO_CHECK(!frame.has_vlan || frame.vlan_tci == 0);
  ARPEGGIO_CHECK(verdict.entry != nullptr && (verdict.entry->answer & slot_bit(kSlot)) != 0);
  ARPEGGIO_CHECK(same_bytes(out.get() + 6, kNodeMac.data(), 6));
  // An answer to ourselves would loop.
  ARPEGGIO_CHECK(!own_macs().contains(out.get()));
  ARPEGGIO_CHECK(same_bytes(out.get() + 12, frame.bytes + 12, 2));
  if (wire::load16(out.get() + 12) == wire::kEtherTypeArp) {
    check_arp_reply(frame, out.get(), verdict.reply_size);
  } else {
    check_advertisement(frame, out.get(), verdict.reply_size);
  }
  return verdict;
}

}  // namespace arpeggio::fuzz
