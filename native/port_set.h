// The ports of all interfaces in use: opened, followed through the changes of their links, closed. Part of the packet
// thread; opening and closing themselves happen beside it (port_worker).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "events.h"
#include "ip_table.h"
#include "link_monitor.h"
#include "port.h"
#include "port_worker.h"
#include "socket_filter.h"

namespace arpeggio {

class PortSet {
 public:
  // Who uses the ports; told on the packet thread.
  class User {
   public:
    virtual ~User() = default;
    // Frames pass (again), or the port has another MAC. `deaf`: no frame passed before.
    virtual void port_ready(Port& port, bool deaf) = 0;
    // No frame passes for now.
    virtual void port_unusable(unsigned slot) = 0;
    // The same, and what is scheduled for the slot is not to be sent any more.
    virtual void port_closed(unsigned slot) = 0;
  };

  // Sockets are watched with `epoll_fd`, with tags from `first_tag` on. `heartbeats`: ports have the third socket.
  // `wake` is called on another thread when there is something to install(). Everything given outlives the ports.
  PortSet(User& user, EventQueue& events, const AddressFilter& filter, const LinkMonitor& links, bool heartbeats,
          int epoll_fd, uint64_t first_tag, std::function<void()> wake);

  // The port of a slot; nullptr where none is open.
  Port* at(unsigned slot) const { return ports_[slot].get(); }
  // The port of a watched socket; nullptr when it was closed by an event before this one.
  Port* by_tag(uint64_t tag) const { return at(static_cast<unsigned>((tag - first_tag_) / kSocketsPerPort)); }
  PacketSocket& socket_of(Port& port, uint64_t tag) const { return *port.sockets()[(tag - first_tag_) % kSocketsPerPort]; }

  // Interfaces and groups are those of this table from now on.
  void set_table(std::shared_ptr<const IpTable> table);
  // The links have changed.
  void reconcile();
  // Takes over the ports that were opened meanwhile.
  void install();
  void attach_filters();

  // IPv6 was taken off these links, or has come with a new address: by index.
  void forget_groups(const std::set<unsigned>& interface_indexes);
  void retry_groups(const std::set<unsigned>& interface_indexes);
  // Joins and leaves some groups. True when more is to do.
  bool step_groups(int64_t now_ns);
  // When a join that failed is tried again; INT64_MAX when none has failed.
  int64_t next_due_ns() const;

 private:
  static constexpr size_t kSocketsPerPort = Port::kSocketCount;

  void reconcile(unsigned slot);
  void close(unsigned slot, const std::string& reason);
  void update_groups(Port& port);

  User& user_;
  EventQueue& events_;
  const AddressFilter& filter_;
  const LinkMonitor& links_;
  const int epoll_fd_;
  const uint64_t first_tag_;
  std::shared_ptr<const IpTable> table_;
  std::unique_ptr<Port> ports_[kMaxSlots];
  bool opening_[kMaxSlots] = {};   // the worker is at it
  std::string errors_[kMaxSlots];  // reported, so that each is reported once
  int64_t retry_groups_ns_ = 0;
  PortWorker worker_;
};

}  // namespace arpeggio
