// One interface as the responder uses it: its sockets and its multicast groups. Lives as long as the kernel's
// interface of that name and index; link down and up do not end it.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "group_membership.h"
#include "link_monitor.h"
#include "packet_socket.h"
#include "socket_filter.h"

namespace arpeggio {

class Port {
 public:
  // Opens the sockets, with the eBPF filter where `filter` is available, and with `heartbeats` the third one.
  // Throws SystemError.
  Port(unsigned slot, const Link& link, const AddressFilter& filter, bool heartbeats);

  unsigned slot() const { return slot_; }
  const std::string& name() const { return name_; }
  unsigned interface_index() const { return interface_index_; }
  const wire::Mac& mac() const { return mac_; }
  void set_mac(const wire::Mac& mac) { mac_ = mac; }
  // Whether frames can pass; the sockets stay open when not.
  bool usable() const { return usable_; }
  void set_usable(bool usable) { usable_ = usable; }

  // Whether the kernel has deleted the interface that the sockets were bound to. A new one may have its name and index.
  bool detached() const { return arp_->bound_interface() != static_cast<int>(interface_index_); }

  PacketSocket& arp() { return *arp_; }
  PacketSocket& ndp() { return *ndp_; }
  // nullptr without heartbeats.
  PacketSocket* heartbeats() { return heartbeats_.get(); }
  static constexpr size_t kSocketCount = 3;
  std::array<PacketSocket*, kSocketCount> sockets() { return {arp_.get(), ndp_.get(), heartbeats()}; }
  GroupMembership& groups() { return groups_; }

  // Replaces the filters: eBPF where available, else the classic floor.
  void attach_filters(const AddressFilter& filter);

 private:
  unsigned slot_;
  std::string name_;
  unsigned interface_index_;
  wire::Mac mac_;
  bool usable_ = false;
  std::unique_ptr<PacketSocket> arp_;
  std::unique_ptr<PacketSocket> ndp_;
  std::unique_ptr<PacketSocket> heartbeats_;
  GroupMembership groups_;
};

}  // namespace arpeggio
