#include "reply.h"

#include <algorithm>
#include <utility>

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ndp.h"

namespace arpeggio {

namespace {

using wire::IpAddress;

Verdict drop(DropReason reason) {
  Verdict verdict;
  verdict.drop = reason;
  return verdict;
}

Verdict drop_rival(const IpTableEntry* entry, RivalKind kind, const uint8_t* mac) {
  Verdict verdict = drop(DropReason::kRival);
  verdict.entry = entry;
  verdict.has_rival = true;
  verdict.rival = {kind, wire::load_mac(mac)};
  return verdict;
}

void set_client(Verdict& verdict, const IpAddress& address, const uint8_t* mac) {
  verdict.has_client = true;
  verdict.client = {address, wire::load_mac(mac)};
}

// A client's answer to a service IP, at our own MAC: it follows us.
Verdict drop_confirmation(const IpTableEntry* entry, const IpAddress& client, const uint8_t* mac) {
  Verdict verdict = drop(DropReason::kConfirmation);
  verdict.entry = entry;
  set_client(verdict, client, mac);
  return verdict;
}

// The entry of an address that is selected on the slot; nullptr where it is none of our business.
const IpTableEntry* find_selected(const IpTable& table, const IpAddress& address, unsigned slot) {
  const IpTableEntry* entry = table.find(address);
  return entry != nullptr && (entry->selected & slot_bit(slot)) != 0 ? entry : nullptr;
}

// Fills in `entry`, and `drop` when the table says that `address` is not answered here. True: answer.
bool ask_table(Verdict& verdict, const IpTable& table, const IpAddress& address, bool expired,
               const ReceivingInterface& interface) {
  verdict.entry = table.find(address);
  if (verdict.entry == nullptr) {
    verdict.drop = DropReason::kAddressNotAnnounced;
    return false;
  }
  const SlotMask bit = slot_bit(interface.slot);
  if ((verdict.entry->selected & bit) == 0) {
    verdict.entry = nullptr;
    verdict.drop = DropReason::kInterfaceNotSelected;
    return false;
  }
  verdict.is_request = true;
  if (expired) {
    verdict.drop = DropReason::kTableExpired;
    return false;
  }
  if (interface.held) {
    verdict.drop = DropReason::kHeld;
    return false;
  }
  if ((verdict.entry->answer & bit) == 0) {
    verdict.drop = DropReason::kNotAnswering;
    return false;
  }
  return true;
}

Verdict reply_to_arp(const Frame& frame, const IpTable& table, bool expired, const ReceivingInterface& interface,
                     uint8_t* out) {
  if (frame.size < wire::kEthernetHeaderSize + wire::kArpSize) return drop(DropReason::kTruncated);
  if (!wire::equal_mac(frame.bytes, interface.mac.data()) &&
      !wire::equal_mac(frame.bytes, wire::kBroadcastMac.data())) {
    return drop(DropReason::kOtherDestination);
  }
  const wire::ArpView arp{frame.bytes + wire::kEthernetHeaderSize};
  if (arp.htype() != wire::kArpHardwareEthernet && arp.htype() != wire::kArpHardwareIeee802) {
    return drop(DropReason::kBadHardwareType);
  }
  if (arp.ptype() != wire::kArpProtocolIpv4) return drop(DropReason::kBadProtocolType);
  if (arp.hlen() != 6 || arp.plen() != 4) return drop(DropReason::kBadAddressLength);
  if (interface.own_macs->contains(arp.sha())) return drop(DropReason::kOwnFrame);
  if (!wire::is_unicast_mac(arp.sha())) return drop(DropReason::kSenderNotUnicast);
  const bool is_probe = wire::is_ipv4_unspecified(arp.spa());
  if (!is_probe && (wire::is_ipv4_multicast_or_reserved(arp.spa()) || wire::is_ipv4_loopback(arp.spa()))) {
    return drop(DropReason::kSenderNotUnicast);
  }

  // Request or reply alike, whoever puts our address into spa uses it (RFC 5227 2.4).
  if (!is_probe) {
    if (const IpTableEntry* entry = find_selected(table, IpAddress::from_ipv4(arp.spa()), interface.slot)) {
      return drop_rival(entry, RivalKind::kArp, arp.sha());
    }
  }
  if (arp.op() == wire::kArpReply && !is_probe && wire::equal_mac(frame.bytes, interface.mac.data())) {
    if (const IpTableEntry* entry = find_selected(table, IpAddress::from_ipv4(arp.tpa()), interface.slot)) {
      return drop_confirmation(entry, IpAddress::from_ipv4(arp.spa()), arp.sha());
    }
  }
  if (arp.op() != wire::kArpRequest) return drop(DropReason::kNotARequest);
  if (wire::is_ipv4_unspecified(arp.tpa()) || wire::is_ipv4_loopback(arp.tpa()) ||
      wire::is_ipv4_multicast_or_reserved(arp.tpa())) {
    return drop(DropReason::kTargetNotUnicast);
  }

  Verdict verdict;
  const bool answer = ask_table(verdict, table, IpAddress::from_ipv4(arp.tpa()), expired, interface);
  if (is_probe && verdict.entry != nullptr) {
    verdict.has_rival = true;
    verdict.rival = {RivalKind::kArpProbe, wire::load_mac(arp.sha())};
  }
  if (verdict.is_request && !is_probe) set_client(verdict, IpAddress::from_ipv4(arp.spa()), arp.sha());
  if (!answer) return verdict;
  // Two hosts that both only try for an address (RFC 5227 2.1.1): neither may answer.
  if (is_probe && (verdict.entry->tentative & slot_bit(interface.slot)) != 0) {
    verdict.drop = DropReason::kTentative;
    return verdict;
  }
  verdict.reply_size = wire::store_arp_frame(
      out, {arp.sha(), wire::kArpReply, interface.mac.data(), arp.tpa(), arp.sha(), arp.spa()});
  return verdict;
}

Verdict reply_to_solicitation(const Frame& frame, const wire::Ipv6View& ip, const wire::NdpView& solicitation,
                              const wire::NdpOptions& options, const IpTable& table, bool expired,
                              const ReceivingInterface& interface, uint8_t* out) {
  const bool is_dad = wire::is_ipv6_unspecified(ip.source());
  const uint8_t* sender_mac = frame.bytes + 6;
  if (is_dad) {
    uint8_t group[16];
    wire::store_solicited_node_group(group, solicitation.target());
    if (options.link_layer_address != nullptr || std::memcmp(ip.destination(), group, sizeof group) != 0) {
      return drop(DropReason::kBadUnspecifiedSource);
    }
  } else {
    // Without SLLAO (a reachability probe) the answer goes to whoever sent the frame.
    if (options.link_layer_address != nullptr) sender_mac = options.link_layer_address;
    if (wire::is_ipv6_multicast(ip.source()) || wire::is_ipv6_loopback(ip.source()) ||
        !wire::is_unicast_mac(sender_mac)) {
      return drop(DropReason::kSenderNotUnicast);
    }
    if (interface.own_macs->contains(sender_mac)) return drop(DropReason::kOwnFrame);
    if (const IpTableEntry* entry = find_selected(table, IpAddress::from_ipv6(ip.source()), interface.slot)) {
      return drop_rival(entry, RivalKind::kNeighborSolicitation, sender_mac);
    }
  }

  Verdict verdict;
  const bool answer =
      ask_table(verdict, table, IpAddress::from_ipv6(solicitation.target()), expired, interface);
  if (is_dad && verdict.entry != nullptr) {
    verdict.has_rival = true;
    verdict.rival = {RivalKind::kDad, wire::load_mac(sender_mac)};
  }
  if (verdict.is_request && !is_dad) set_client(verdict, IpAddress::from_ipv6(ip.source()), sender_mac);
  if (!answer) return verdict;
  const bool tentative = (verdict.entry->tentative & slot_bit(interface.slot)) != 0;
  if (is_dad) {
    // RFC 4862 5.4.3: two hosts that both only try for an address; neither may answer.
    if (tentative) {
      verdict.drop = DropReason::kTentative;
      return verdict;
    }
    verdict.reply_size = wire::store_unsolicited_advertisement(out, interface.mac.data(), solicitation.target());
    return verdict;
  }
  verdict.reply_size = wire::store_neighbor_advertisement(
      out, {sender_mac, interface.mac.data(), ip.source(), solicitation.target(), true, !tentative});
  return verdict;
}

Verdict drop_advertisement(const Frame& frame, const wire::Ipv6View& ip, const wire::NdpView& advertisement,
                           const wire::NdpOptions& options, const IpTable& table,
                           const ReceivingInterface& interface) {
  const bool solicited = (advertisement.bytes[4] & 0x40) != 0;
  if (solicited && wire::is_ipv6_multicast(ip.destination())) return drop(DropReason::kBadFlag);
  const uint8_t* mac =
      options.link_layer_address != nullptr ? options.link_layer_address : frame.bytes + 6;
  if (interface.own_macs->contains(mac)) return drop(DropReason::kOwnFrame);
  const auto target = IpAddress::from_ipv6(advertisement.target());
  if (const IpTableEntry* entry = find_selected(table, target, interface.slot)) {
    return drop_rival(entry, RivalKind::kNeighborAdvertisement, mac);
  }
  const auto destination = IpAddress::from_ipv6(ip.destination());
  if (solicited && !destination.is_ipv4() && wire::is_unicast_mac(mac) &&
      wire::equal_mac(frame.bytes, interface.mac.data())) {
    if (const IpTableEntry* entry = find_selected(table, destination, interface.slot)) {
      return drop_confirmation(entry, target, mac);
    }
  }
  return drop(DropReason::kNotARequest);
}

Verdict reply_to_ipv6(const Frame& frame, const IpTable& table, bool expired, const ReceivingInterface& interface,
                      uint8_t* out) {
  if (frame.size < wire::kEthernetHeaderSize + wire::kIpv6HeaderSize) return drop(DropReason::kTruncated);
  if (!wire::equal_mac(frame.bytes, interface.mac.data()) && !wire::is_group_mac(frame.bytes)) {
    return drop(DropReason::kOtherDestination);
  }
  const wire::Ipv6View ip{frame.bytes + wire::kEthernetHeaderSize};
  if (ip.version() != 6) return drop(DropReason::kBadIpv6Header);
  if (ip.payload_length() > frame.size - wire::kEthernetHeaderSize - wire::kIpv6HeaderSize) {
    return drop(DropReason::kTruncated);
  }
  const wire::UpperLayer upper =
      wire::find_icmpv6(ip.next_header(), ip.bytes + wire::kIpv6HeaderSize, ip.payload_length());
  switch (upper.result) {
    case wire::ExtensionResult::kIcmpv6:
      break;
    case wire::ExtensionResult::kFragmented:
      return drop(DropReason::kFragmented);
    case wire::ExtensionResult::kOther:
      return drop(DropReason::kOtherProtocol);
    case wire::ExtensionResult::kTruncated:
      return drop(DropReason::kTruncated);
  }
  if (upper.size < 4) return drop(DropReason::kTruncated);
  const wire::NdpView ndp{upper.bytes};
  if (ndp.type() != wire::kNeighborSolicitation && ndp.type() != wire::kNeighborAdvertisement) {
    return drop(DropReason::kNotARequest);
  }
  if (upper.size < wire::kNdpMessageSize) return drop(DropReason::kTruncated);
  if (ip.hop_limit() != wire::kNdpHopLimit) return drop(DropReason::kBadHopLimit);
  if (wire::icmpv6_checksum(ip.source(), ip.destination(), upper.bytes, upper.size) != 0) {
    return drop(DropReason::kBadChecksum);
  }
  if (ndp.code() != 0) return drop(DropReason::kBadCode);
  if (wire::is_ipv6_multicast(ndp.target()) || wire::is_ipv6_loopback(ndp.target()) ||
      wire::is_ipv6_unspecified(ndp.target())) {
    return drop(DropReason::kTargetNotUnicast);
  }
  // The table keeps IPv4 in mapped form; nobody may reach those entries through NDP.
  if (IpAddress::from_ipv6(ndp.target()).is_ipv4()) return drop(DropReason::kAddressNotAnnounced);
  if (IpAddress::from_ipv6(ip.source()).is_ipv4()) return drop(DropReason::kSenderNotUnicast);
  const bool is_advertisement = ndp.type() == wire::kNeighborAdvertisement;
  const wire::NdpOptions options = wire::parse_ndp_options(
      upper.bytes + wire::kNdpMessageSize, upper.size - wire::kNdpMessageSize,
      is_advertisement ? wire::kOptionTargetLinkLayerAddress : wire::kOptionSourceLinkLayerAddress);
  if (!options.valid) return drop(DropReason::kBadOption);
  if (is_advertisement) return drop_advertisement(frame, ip, ndp, options, table, interface);
  return reply_to_solicitation(frame, ip, ndp, options, table, expired, interface, out);
}

}  // namespace

OwnMacs::OwnMacs(std::vector<wire::Mac> macs) : sorted_(std::move(macs)) {
  std::sort(sorted_.begin(), sorted_.end());
}

bool OwnMacs::contains(const uint8_t* mac) const {
  return std::binary_search(sorted_.begin(), sorted_.end(), wire::load_mac(mac));
}

Verdict reply(const Frame& frame, const IpTable& table, bool expired, const ReceivingInterface& interface,
              uint8_t* out) {
  // PACKET_OUTGOING and PACKET_OTHERHOST first: a frame of another VLAN shows on an ETH_P_ARP socket only as OTHERHOST.
  if (frame.type == PacketType::kOutgoing) return drop(DropReason::kOutgoing);
  if (frame.has_vlan && (frame.vlan_tci & 0x0fff) != 0) return drop(DropReason::kOtherVlan);
  if (frame.type == PacketType::kOtherHost) return drop(DropReason::kOtherHost);
  if (frame.size < wire::kEthernetHeaderSize) return drop(DropReason::kTruncated);
  const uint16_t ether_type = wire::load16(frame.bytes + 12);
  if (ether_type == wire::kEtherTypeVlan || ether_type == wire::kEtherTypeServiceVlan) {
    return drop(DropReason::kOtherVlan);
  }
  if (ether_type != wire::kEtherTypeArp && ether_type != wire::kEtherTypeIpv6) {
    return drop(DropReason::kOtherEtherType);
  }
  if (interface.own_macs->contains(frame.bytes + 6)) return drop(DropReason::kOwnFrame);
  return ether_type == wire::kEtherTypeArp ? reply_to_arp(frame, table, expired, interface, out)
                                           : reply_to_ipv6(frame, table, expired, interface, out);
}

}  // namespace arpeggio
