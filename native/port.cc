#include "port.h"

#include <future>
#include <utility>

#include "wire/ethernet.h"
#include "wire/heartbeat.h"

namespace arpeggio {

namespace {

// eBPF where available, else the classic floor.
void attach_arp_filter(PacketSocket& socket, const AddressFilter& filter) {
  if (filter.available()) socket.attach_ebpf_filter(filter.arp_program());
  else socket.attach_classic_filter(classic_arp_filter());
}

void attach_ndp_filter(PacketSocket& socket, const AddressFilter& filter) {
  if (filter.available()) socket.attach_ebpf_filter(filter.ndp_program());
  else socket.attach_classic_filter(classic_ndp_filter());
}

using SocketPointer = std::unique_ptr<PacketSocket>;

SocketPointer open_arp(const Link& link, const AddressFilter& filter) {
  auto socket = std::make_unique<PacketSocket>(link.name, link.index, wire::kEtherTypeArp, kArpRing);
  attach_arp_filter(*socket, filter);
  socket->bind();
  return socket;
}

SocketPointer open_ndp(const Link& link, const AddressFilter& filter) {
  auto socket = std::make_unique<PacketSocket>(link.name, link.index, wire::kEtherTypeIpv6, kNdpRing);
  attach_ndp_filter(*socket, filter);
  socket->bind();
  return socket;
}

SocketPointer open_heartbeats(const Link& link) {
  auto socket = std::make_unique<PacketSocket>(link.name, link.index, wire::kEtherTypeHeartbeat, kHeartbeatRing);
  socket->attach_classic_filter(classic_heartbeat_filter());
  socket->join(wire::kHeartbeatGroup);
  socket->send_first();
  socket->bind();
  return socket;
}

}  // namespace

// Side by side: each ring waits for a grace period of the kernel, and they can wait for the same one.
Port::Port(unsigned slot, const Link& link, const AddressFilter& filter, bool heartbeats)
    : slot_(slot), name_(link.name), interface_index_(link.index), mac_(link.mac), groups_(link.index) {
  auto ndp = std::async(std::launch::async, [&] { return open_ndp(link, filter); });
  auto heartbeat =
      std::async(std::launch::async, [&] { return heartbeats ? open_heartbeats(link) : SocketPointer{}; });
  arp_ = open_arp(link, filter);
  ndp_ = ndp.get();
  heartbeats_ = heartbeat.get();
}

void Port::attach_filters(const AddressFilter& filter) {
  attach_arp_filter(*arp_, filter);
  attach_ndp_filter(*ndp_, filter);
}

}  // namespace arpeggio
