#include "port_set.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "system_error.h"

namespace arpeggio {

namespace {

constexpr size_t kGroupChangesPerTurn = 16;
constexpr int64_t kGroupRetryNs = 1'000'000'000;

}  // namespace

PortSet::PortSet(User& user, EventQueue& events, const AddressFilter& filter, const LinkMonitor& links, bool heartbeats,
                 int epoll_fd, uint64_t first_tag, std::function<void()> wake)
    : user_(user),
      events_(events),
      filter_(filter),
      links_(links),
      epoll_fd_(epoll_fd),
      first_tag_(first_tag),
      table_(std::make_shared<const IpTable>()),
      worker_(filter, heartbeats, std::move(wake)) {}

void PortSet::set_table(std::shared_ptr<const IpTable> table) {
  const std::shared_ptr<const IpTable> previous = std::exchange(table_, std::move(table));
  if (previous->interface_names() != table_->interface_names()) reconcile();
  if (previous->groups() == table_->groups()) return;
  for (auto& port : ports_) {
    if (port) update_groups(*port);
  }
}

void PortSet::reconcile() {
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) reconcile(slot);
}

void PortSet::reconcile(unsigned slot) {
  const auto& names = table_->interface_names();
  const Link* link = slot < names.size() && !names[slot].empty() ? links_.find(names[slot]) : nullptr;
  std::unique_ptr<Port>& port = ports_[slot];
  if (port && (link == nullptr || link->index != port->interface_index() || link->name != port->name() ||
               port->detached())) {
    const bool wanted = slot < names.size() && names[slot] == port->name();
    close(slot, !wanted           ? "it is not used any more"
                : link == nullptr ? "the interface is gone"
                                  : "the interface was replaced");
  }
  if (link == nullptr) return;
  const std::string unusable = link->unusable_reason();
  if (!port) {
    if (unusable.empty() && !opening_[slot]) {
      opening_[slot] = true;
      worker_.open(slot, *link);
    }
    return;
  }
  const bool moved = port->mac() != link->mac;
  port->set_mac(link->mac);
  if (!unusable.empty()) {
    if (!port->usable()) return;
    port->set_usable(false);
    events_.push(Event{EventType::kPortClosed, link->name, link->mac, unusable});
    user_.port_unusable(slot);
    return;
  }
  if (port->usable() && !moved) return;
  const bool deaf = !port->usable();
  port->set_usable(true);
  port->groups().retry();
  events_.push(Event{EventType::kPortOpened, link->name, link->mac});
  user_.port_ready(*port, deaf);
}

// Much may have happened while a port was opened: one that fits no more is closed, and another opened.
void PortSet::install() {
  for (OpenedPort& opened : worker_.take()) {
    const unsigned slot = opened.slot;
    opening_[slot] = false;
    const auto& names = table_->interface_names();
    const Link* link = slot < names.size() ? links_.find(names[slot]) : nullptr;
    const bool fits = link != nullptr && link->index == opened.link.index && link->name == opened.link.name;
    if (opened.port && fits && !opened.port->detached()) {
      // The filter may have been lost meanwhile.
      if (!filter_.available()) opened.port->attach_filters(filter_);
      uint64_t tag = first_tag_ + slot * kSocketsPerPort;
      for (PacketSocket* socket : opened.port->sockets()) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = tag++;
        if (socket == nullptr) continue;
        if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket->fd(), &event) != 0) throw SystemError("epoll_ctl", errno);
      }
      ports_[slot] = std::move(opened.port);
      errors_[slot].clear();
      update_groups(*ports_[slot]);
      reconcile(slot);
      continue;
    }
    if (opened.port) {
      worker_.close(std::move(opened.port));
    } else if (fits) {
      // Tried again when the link changes.
      if (std::exchange(errors_[slot], opened.error) == opened.error) continue;
      events_.push(Event{EventType::kPortFailed, opened.link.name, opened.link.mac, opened.error});
      continue;
    }
    reconcile(slot);
  }
}

void PortSet::close(unsigned slot, const std::string& reason) {
  if (ports_[slot]->usable()) {
    events_.push(Event{EventType::kPortClosed, ports_[slot]->name(), ports_[slot]->mac(), reason});
  }
  user_.port_closed(slot);
  // Off epoll now: until the worker has closed them the sockets go on receiving.
  for (PacketSocket* socket : ports_[slot]->sockets()) {
    if (socket != nullptr) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, socket->fd(), nullptr);
  }
  worker_.close(std::move(ports_[slot]));
}

void PortSet::attach_filters() {
  for (auto& port : ports_) {
    if (port) port->attach_filters(filter_);
  }
}

void PortSet::update_groups(Port& port) {
  std::vector<uint32_t> low24s;
  for (const SolicitedNodeGroup& group : table_->groups()) {
    if ((group.slots & slot_bit(port.slot())) != 0) low24s.push_back(group.low24);
  }
  port.groups().want(low24s);
}

void PortSet::forget_groups(const std::set<unsigned>& interface_indexes) {
  for (auto& port : ports_) {
    if (port && interface_indexes.count(port->interface_index()) != 0) port->groups().forget();
  }
}

void PortSet::retry_groups(const std::set<unsigned>& interface_indexes) {
  for (auto& port : ports_) {
    if (port && interface_indexes.count(port->interface_index()) != 0) port->groups().retry();
  }
}

bool PortSet::step_groups(int64_t now_ns) {
  const bool retry = now_ns >= retry_groups_ns_;
  if (retry) retry_groups_ns_ = now_ns + kGroupRetryNs;
  bool busy = false;
  for (auto& port : ports_) {
    if (!port) continue;
    if (retry && port->groups().error() != 0) port->groups().retry();
    busy = port->groups().step(kGroupChangesPerTurn) || busy;
  }
  return busy;
}

int64_t PortSet::next_due_ns() const {
  for (const auto& port : ports_) {
    if (port && port->groups().error() != 0) return retry_groups_ns_;
  }
  return std::numeric_limits<int64_t>::max();
}

}  // namespace arpeggio
