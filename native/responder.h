// The packet thread: answers ARP and NDP from the current table, follows the links, sends what is scheduled.
// It never waits for its user: tables, transmissions and the deadline come in by a mailbox, events go out by a queue.
// It decides nothing about ownership: it answers what the table says, where it says so, while the table is fresh.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "announcer.h"
#include "counters.h"
#include "events.h"
#include "file_descriptor.h"
#include "ip_table.h"
#include "link_monitor.h"
#include "port_set.h"
#include "socket_filter.h"

namespace arpeggio {

struct ResponderOptions {
  bool ebpf_filter = true;  // false: the classic filter, also where BPF is permitted
  bool raise_priority = true;
  // How the thread announces what it answers when an interface comes back or its MAC changes.
  AnnouncementSchedule link_schedule;
};

class Responder : private PortSet::User {
 public:
  // Starts the thread. `wake` is called on it when there are events to take. Throws SystemError: EPERM from "socket"
  // means that CAP_NET_RAW is missing.
  Responder(const ResponderOptions& options, std::function<void()> wake);
  // Stops and joins the thread. Sends nothing.
  ~Responder() override;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // One thread at a time may call these; never the packet thread.
  void publish(std::shared_ptr<const IpTable> table, uint32_t lifetime_ms);
  // Prolongs the current table's life to `lifetime_ms` from now.
  void renew(uint32_t lifetime_ms);
  // Announcements go only where the address is answered for sure, when their time comes; probes wherever it is selected.
  void announce(std::vector<wire::IpAddress> addresses, unsigned slot, AnnouncementSchedule schedule, bool urgent);
  void probe(std::vector<wire::IpAddress> addresses, unsigned slot, std::vector<uint32_t> offsets_ms);

  EventBatch take_events() { return events_.take(); }

  const InterfaceCounters& interface_counters(unsigned slot) const { return interface_counters_[slot]; }
  AddressCounterStore& address_counters() { return address_counters_; }

  bool ebpf_in_use() const { return filter_.available(); }
  const std::string& ebpf_reason() const { return filter_.reason(); }
  // Whether the thread runs under SCHED_FIFO; if not, its nice value: 0 where raising it was not permitted either.
  bool fifo() const { return fifo_.load(std::memory_order_relaxed); }
  int nice() const { return nice_.load(std::memory_order_relaxed); }

 private:
  struct Mail {
    bool stop = false;
    bool filter_lost = false;
    std::shared_ptr<const IpTable> table;
    struct Order {
      bool is_probe;
      std::vector<wire::IpAddress> addresses;
      unsigned slot;
      AnnouncementSchedule schedule;
      std::vector<uint32_t> offsets_ms;
      bool urgent;
    };
    std::vector<Order> orders;
  };

  class Sender;

  // All below runs on the packet thread.
  void run();
  void raise_priority();
  bool take_mail();  // false: stop
  void read_links();
  void follow_links();
  void port_ready(Port& port) override;
  void port_closed(unsigned slot) override { announcer_.cancel(slot); }
  void check_deadline(int64_t now_ns);
  bool drain(Port& port, PacketSocket& socket, bool is_arp);
  void send_replies(PacketSocket& socket, InterfaceCounters& counters);
  void account(const Verdict& verdict, Port& port, bool is_arp);
  void report_rival(const Verdict& verdict, const Port& port);
  int wait_timeout_ms(int64_t now_ns, bool busy) const;
  void watch(int fd, uint64_t tag);

  const ResponderOptions options_;
  EventQueue events_;
  AddressFilter filter_;
  InterfaceCounters interface_counters_[kMaxSlots];
  AddressCounterStore address_counters_;
  std::atomic<bool> fifo_{false};
  std::atomic<int> nice_{0};
  std::atomic<int64_t> deadline_ns_{0};
  FileDescriptor wakeup_;  // eventfd
  std::mutex mail_mutex_;
  Mail mail_;
  std::shared_ptr<const IpTable> published_;  // the publishing thread's, to know what changed

  // The packet thread's own.
  FileDescriptor epoll_;
  LinkMonitor links_;
  std::shared_ptr<const IpTable> table_;
  OwnMacs own_macs_;
  Announcer announcer_;
  SendBatch replies_;
  bool expired_ = true;
  std::unordered_map<uint64_t, int64_t> rival_reported_ns_;

  PortSet ports_;
  std::thread thread_;  // last: everything it uses is set
};

// CLOCK_MONOTONIC.
int64_t monotonic_ns();

}  // namespace arpeggio
