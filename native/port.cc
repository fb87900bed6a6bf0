#include "port.h"

#include "wire/ethernet.h"
#include "wire/heartbeat.h"

namespace arpeggio {

Port::Port(unsigned slot, const Link& link, const AddressFilter& filter, bool heartbeats)
    : slot_(slot),
      name_(link.name),
      interface_index_(link.index),
      mac_(link.mac),
      arp_(link.name, link.index, wire::kEtherTypeArp, kArpRing),
      ndp_(link.name, link.index, wire::kEtherTypeIpv6, kNdpRing),
      groups_(link.index) {
  attach_filters(filter);
  arp_.bind();
  ndp_.bind();
  if (!heartbeats) return;
  heartbeats_.emplace(link.name, link.index, wire::kEtherTypeHeartbeat, kHeartbeatRing);
  heartbeats_->attach_classic_filter(classic_heartbeat_filter());
  heartbeats_->join(wire::kHeartbeatGroup);
  heartbeats_->send_first();
  heartbeats_->bind();
}

void Port::attach_filters(const AddressFilter& filter) {
  if (filter.available()) {
    arp_.attach_ebpf_filter(filter.arp_program());
    ndp_.attach_ebpf_filter(filter.ndp_program());
    return;
  }
  arp_.attach_classic_filter(classic_arp_filter());
  ndp_.attach_classic_filter(classic_ndp_filter());
}

}  // namespace arpeggio
