// The packet thread: answers ARP and NDP from the current table, follows the links, sends what is scheduled, speaks with
// the other nodes by heartbeats. It never waits for its user: tables, transmissions and the deadline come in by a mailbox,
// events go out by a queue. It decides nothing about ownership: it answers what the table says, where it says so, while
// the table is fresh, and carries out what was planned for the loss of a peer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "answering.h"
#include "counters.h"
#include "events.h"
#include "file_descriptor.h"
#include "heartbeat_io.h"
#include "link_monitor.h"
#include "pause_watch.h"
#include "port_set.h"
#include "publication.h"
#include "rival_reports.h"
#include "socket_filter.h"
#include "takeover.h"
#include "transmitter.h"

namespace arpeggio {

struct ResponderOptions {
  bool ebpf_filter = true;  // false: the classic filter, also where BPF is permitted
  bool raise_priority = true;
  // How the thread announces what it answers when an interface comes back or its MAC changes, and what it takes over.
  AnnouncementSchedule link_schedule{};
  std::optional<HeartbeatOptions> heartbeat{};  // none: this node is alone
};

class Responder : private PortSet::User {
 public:
  // Starts the thread. `wake` is called on it when there are events to take. Throws SystemError: EPERM from "socket"
  // means that CAP_NET_RAW is missing; std::runtime_error where OpenSSL refuses the keys.
  Responder(const ResponderOptions& options, std::function<void()> wake);
  // Stops and joins the thread. Sends nothing.
  ~Responder() override;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // One thread at a time may call these; never the packet thread.
  // The table belongs to the packet thread from here on.
  void publish(Publication publication, uint32_t lifetime_ms);
  // Prolongs the current table's life to `lifetime_ms` from now.
  void renew(uint32_t lifetime_ms);
  // Announcements go only where the address is answered for sure, when their time comes; probes wherever it is selected.
  // `confirm`: the number under which clients are asked to follow; 0: they are not. Without heartbeats nobody is.
  void announce(std::vector<wire::IpAddress> addresses, unsigned slot, AnnouncementSchedule schedule, bool urgent,
                uint64_t confirm = 0);
  void probe(std::vector<wire::IpAddress> addresses, unsigned slot, std::vector<uint32_t> offsets_ms);
  // Without heartbeats these do nothing.
  void advertise(const std::string& interface_name, Advertisement advertisement);
  void send_message(const std::string& interface_name, std::vector<uint8_t> body);
  void set_keys(HeartbeatKeys keys);

  EventBatch take_events() { return events_.take(); }

  const InterfaceCounters& interface_counters(unsigned slot) const { return interface_counters_[slot]; }
  AddressCounterStore& address_counters() { return address_counters_; }

  bool ebpf_in_use() const { return filter_.available(); }
  const std::string& ebpf_reason() const { return filter_.reason(); }
  // Whether the thread runs under SCHED_FIFO; if not, its nice value: 0 where raising it was not permitted either.
  bool fifo() const { return fifo_.load(std::memory_order_relaxed); }
  int nice() const { return nice_.load(std::memory_order_relaxed); }

 private:
  struct Order {
    bool is_probe;
    std::vector<wire::IpAddress> addresses;
    unsigned slot;
    AnnouncementSchedule schedule;
    std::vector<uint32_t> offsets_ms;
    bool urgent;
    uint64_t confirm;
  };

  // epoll tags; those of the ports follow.
  static constexpr uint64_t kWakeupTag = 0;
  static constexpr uint64_t kLinksTag = 1;
  static constexpr uint64_t kFirstSocketTag = 2;

  struct Mail {
    bool stop = false;
    bool filter_lost = false;
    std::optional<Publication> publication{};
    std::optional<HeartbeatKeys> keys{};
    std::map<std::string, Advertisement> advertisements{};  // the latest of each interface
    std::vector<std::pair<std::string, std::vector<uint8_t>>> messages{};
    std::vector<Order> orders{};
  };

  void post(const std::function<void(Mail&)>& write);

  // All below runs on the packet thread.
  void run();
  void raise_priority();
  void notice_pause(const PauseWatch::Pause& pause);
  void run_heartbeats();
  bool take_mail();  // false: stop
  void take_orders(std::vector<Order> orders);
  void set_table(Publication publication);
  void read_links();
  void follow_links();
  void port_ready(Port& port, bool deaf) override;
  void port_unusable(unsigned slot) override;
  void port_closed(unsigned slot) override;
  void check_deadline(int64_t now_ns);
  bool drain(Port& port, PacketSocket& socket);
  bool is_answer_to_peers_probe(const Verdict& verdict, unsigned slot) const;
  void send_replies(PacketSocket& socket, InterfaceCounters& counters);
  void account(const Verdict& verdict, Port& port, bool is_arp);
  void report_rival(const Verdict& verdict, const Port& port);
  void peer_lost(unsigned slot, const PeerDown& down);
  void hold(unsigned slot, const char* reason);
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
  OwnMacs own_macs_;
  Answering answering_;
  Takeover takeover_;
  SendBatch replies_;
  RivalReports rival_reports_;

  PortSet ports_;
  Transmitter transmitter_;
  std::unique_ptr<HeartbeatIo> heartbeats_;  // nullptr: this node is alone
  std::thread thread_;                       // last: everything it uses is set
};

}  // namespace arpeggio
