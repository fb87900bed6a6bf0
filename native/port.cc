#include "port.h"

#include "wire/ethernet.h"

namespace arpeggio {

Port::Port(unsigned slot, const Link& link, const AddressFilter& filter)
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
