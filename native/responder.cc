#include "responder.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "system_error.h"

namespace arpeggio {

namespace {

constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

// Raised, a busy event loop, a neighbour process or the kernel's own packet processing under a storm does not delay
// answers: p99.9 falls from 3.5 ms to 0.1 ms. The lowest real-time priority is enough, and the kernel's throttling
// (sched_rt_runtime_us) leaves the processor to others even in a flood.
constexpr int kRealTimePriority = 1;
// Where real time is not permitted.
constexpr int kWantedNice = -15;

// One socket may not starve the other, nor the announcements and links.
constexpr size_t kFramesPerTurn = 256;
// About 200 us of sending between two looks at the rings.
constexpr size_t kAnnouncementsPerTurn = 64;
constexpr size_t kGroupChangesPerTurn = 16;
constexpr int64_t kGroupRetryNs = kNanosecondsPerSecond;
// The same rival on the same address is news again after this long.
constexpr int64_t kRivalReportIntervalNs = 200 * kNanosecondsPerMillisecond;
constexpr size_t kMaxRivalReports = 65536;

// epoll tags; a socket of slot n has kFirstSocketTag + 2n (ARP) or + 2n + 1 (NDP).
constexpr uint64_t kWakeupTag = 0;
constexpr uint64_t kLinksTag = 1;
constexpr uint64_t kFirstSocketTag = 2;

FileDescriptor require(const char* syscall, int fd) {
  if (fd < 0) throw SystemError(syscall, errno);
  return FileDescriptor(fd);
}

// Fails now, with the caller listening, and not in the thread when the first interface comes up.
void require_packet_sockets() { require("socket", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)); }

}  // namespace

int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

// Collects unsolicited frames into batches, one per socket.
class Responder::Sender final : public TransmitTarget {
 public:
  explicit Sender(Responder& responder) : responder_(responder) {}
  ~Sender() override { flush(); }

  uint8_t* begin_frame(unsigned slot, const wire::IpAddress& address, FrameForm form, wire::Mac& mac) override {
    Port* port = responder_.ports_[slot].get();
    if (port == nullptr || !port->usable()) return nullptr;
    const IpTableEntry* entry = responder_.table_->find(address);
    if (entry == nullptr || responder_.expired_) return nullptr;
    const SlotMask allowed = form == FrameForm::kProbe ? entry->selected : entry->answer & ~entry->tentative;
    if ((allowed & slot_bit(slot)) == 0) return nullptr;
    const int fd = address.is_ipv4() ? port->arp().fd() : port->ndp().fd();
    if (fd != fd_ || slot != slot_ || batch_.full()) flush();
    fd_ = fd;
    slot_ = slot;
    mac = port->mac();
    InterfaceCounters& counters = responder_.interface_counters_[slot];
    (form == FrameForm::kProbe ? counters.probes : counters.announcements).add(1);
    if (form != FrameForm::kProbe) responder_.address_counters_.at(entry->counter_slot).announcements.add(1);
    return batch_.slot();
  }

  void end_frame(size_t size) override { batch_.commit(size); }

 private:
  void flush() {
    if (batch_.empty()) return;
    const size_t wanted = batch_.size();
    // What the queue has no room for is lost: the schedule repeats every announcement.
    responder_.interface_counters_[slot_].send_errors.add(wanted - batch_.send(fd_));
  }

  Responder& responder_;
  SendBatch batch_;
  int fd_ = -1;
  unsigned slot_ = 0;
};

Responder::Responder(const ResponderOptions& options, std::function<void()> wake)
    : options_(options),
      events_(std::move(wake)),
      filter_((require_packet_sockets(), options.ebpf_filter)),
      wakeup_(require("eventfd", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
      published_(std::make_shared<const IpTable>()),
      epoll_(require("epoll_create1", epoll_create1(EPOLL_CLOEXEC))),
      links_(LinkMonitor::Addresses::kIgnore),
      table_(published_),
      port_worker_(filter_, [this] { eventfd_write(wakeup_.get(), 1); }) {
  watch(wakeup_.get(), kWakeupTag);
  watch(links_.fd(), kLinksTag);
  thread_ = std::thread([this] { run(); });
}

Responder::~Responder() {
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    mail_.stop = true;
  }
  eventfd_write(wakeup_.get(), 1);
  thread_.join();
}

void Responder::publish(std::shared_ptr<const IpTable> table, uint32_t lifetime_ms) {
  for (const IpTableEntry& entry : table->entries()) address_counters_.reserve(entry.counter_slot);
  const bool had_filter = filter_.available();
  filter_.update(*published_, *table);
  published_ = table;
  renew(lifetime_ms);
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    mail_.table = std::move(table);
    mail_.filter_lost = mail_.filter_lost || (had_filter && !filter_.available());
  }
  eventfd_write(wakeup_.get(), 1);
}

void Responder::renew(uint32_t lifetime_ms) {
  deadline_ns_.store(monotonic_ns() + lifetime_ms * kNanosecondsPerMillisecond, std::memory_order_release);
}

void Responder::announce(std::vector<wire::IpAddress> addresses, unsigned slot, AnnouncementSchedule schedule,
                         bool urgent) {
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    mail_.orders.push_back({false, std::move(addresses), slot, std::move(schedule), {}, urgent});
  }
  eventfd_write(wakeup_.get(), 1);
}

void Responder::probe(std::vector<wire::IpAddress> addresses, unsigned slot, std::vector<uint32_t> offsets_ms) {
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    mail_.orders.push_back({true, std::move(addresses), slot, {}, std::move(offsets_ms), true});
  }
  eventfd_write(wakeup_.get(), 1);
}

void Responder::watch(int fd, uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw SystemError("epoll_ctl", errno);
}

void Responder::raise_priority() {
  sched_param parameters{};
  parameters.sched_priority = kRealTimePriority;
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0) {
    fifo_.store(true, std::memory_order_relaxed);
    return;
  }
  const auto thread_id = static_cast<id_t>(syscall(SYS_gettid));
  if (setpriority(PRIO_PROCESS, thread_id, kWantedNice) == 0) nice_.store(kWantedNice, std::memory_order_relaxed);
}

void Responder::run() {
  pthread_setname_np(pthread_self(), "arpeggio");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  if (options_.raise_priority) raise_priority();
  follow_links();

  epoll_event ready[16];
  bool busy = false;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), ready, 16, wait_timeout_ms(monotonic_ns(), busy));
    busy = false;
    const int64_t now_ns = monotonic_ns();
    check_deadline(now_ns);
    for (int index = 0; index < count; ++index) {
      const uint64_t tag = ready[index].data.u64;
      if (tag == kWakeupTag) {
        if (!take_mail()) return;
      } else if (tag == kLinksTag) {
        read_links();
      } else {
        Port* port = ports_[(tag - kFirstSocketTag) / 2].get();
        if (port == nullptr) continue;  // closed by an event before this one
        const bool is_arp = (tag - kFirstSocketTag) % 2 == 0;
        PacketSocket& socket = is_arp ? port->arp() : port->ndp();
        if ((ready[index].events & EPOLLERR) != 0) socket.take_error();
        busy = drain(*port, socket, is_arp) || busy;
      }
    }
    // Groups before probes: an answer has to find its way through snooping switches.
    const bool retry_groups = now_ns >= retry_groups_ns_;
    if (retry_groups) retry_groups_ns_ = now_ns + kGroupRetryNs;
    for (auto& port : ports_) {
      if (!port) continue;
      if (retry_groups && port->groups().error() != 0) port->groups().retry();
      busy = port->groups().step(kGroupChangesPerTurn) || busy;
    }
    {
      Sender sender(*this);
      busy = announcer_.run(now_ns, kAnnouncementsPerTurn, sender) || busy;
    }
  }
}

int Responder::wait_timeout_ms(int64_t now_ns, bool busy) const {
  if (busy) return 0;
  int64_t next_ns = announcer_.next_due_ns();
  if (!expired_) next_ns = std::min(next_ns, deadline_ns_.load(std::memory_order_acquire));
  for (const auto& port : ports_) {
    if (port && port->groups().error() != 0) next_ns = std::min(next_ns, retry_groups_ns_);
  }
  if (next_ns == std::numeric_limits<int64_t>::max()) return -1;
  if (next_ns <= now_ns) return 0;
  const int64_t wait_ms = (next_ns - now_ns + kNanosecondsPerMillisecond - 1) / kNanosecondsPerMillisecond;
  return static_cast<int>(std::min<int64_t>(wait_ms, 60'000));
}

bool Responder::take_mail() {
  eventfd_t ignored;
  eventfd_read(wakeup_.get(), &ignored);
  Mail mail;
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    mail = std::exchange(mail_, {});
  }
  if (mail.stop) return false;
  if (mail.filter_lost) {
    for (auto& port : ports_) {
      if (port) port->attach_filters(filter_);
    }
    Event event{EventType::kFilterFallback};
    event.text = filter_.reason();
    events_.push(std::move(event));
  }
  if (mail.table) set_table(std::move(mail.table));
  install_ports();
  const int64_t now_ns = monotonic_ns();
  check_deadline(now_ns);
  for (Mail::Order& order : mail.orders) {
    if (order.is_probe) {
      announcer_.probe(std::move(order.addresses), order.slot, order.offsets_ms, now_ns);
    } else {
      announcer_.announce(std::move(order.addresses), order.slot, order.schedule, order.urgent, now_ns);
    }
  }
  return true;
}

void Responder::check_deadline(int64_t now_ns) {
  const bool expired = now_ns >= deadline_ns_.load(std::memory_order_acquire);
  if (expired && !expired_) events_.push(Event{EventType::kTableExpired});
  expired_ = expired;
}

void Responder::set_table(std::shared_ptr<const IpTable> table) {
  const std::shared_ptr<const IpTable> previous = std::exchange(table_, std::move(table));
  if (previous->interface_names() != table_->interface_names()) reconcile_ports();
  if (previous->groups() == table_->groups()) return;
  for (auto& port : ports_) {
    if (port) update_groups(*port);
  }
}

void Responder::update_groups(Port& port) {
  std::vector<uint32_t> low24s;
  for (const SolicitedNodeGroup& group : table_->groups()) {
    if ((group.slots & slot_bit(port.slot())) != 0) low24s.push_back(group.low24);
  }
  port.groups().want(low24s);
}

void Responder::read_links() {
  try {
    if (links_.drain()) follow_links();
  } catch (const SystemError& error) {
    // The kernel lost events and could not tell all links anew. The next event makes us read all again.
    Event event{EventType::kLinksFailed};
    event.text = error.what();
    events_.push(std::move(event));
  }
  const std::set<unsigned> without_ipv6 = links_.take_links_without_ipv6();
  const std::set<unsigned> with_new_address = links_.take_links_with_new_address();
  for (auto& port : ports_) {
    if (!port) continue;
    if (without_ipv6.count(port->interface_index()) != 0) port->groups().forget();
    if (with_new_address.count(port->interface_index()) != 0) port->groups().retry();
  }
}

void Responder::follow_links() {
  std::vector<wire::Mac> macs;
  std::vector<Link> links;
  for (const auto& [index, link] : links_.links()) {
    links.push_back(link);
    if (link.has_mac && wire::is_unicast_mac(link.mac.data())) macs.push_back(link.mac);
    if (link.has_permanent_mac) macs.push_back(link.permanent_mac);
  }
  own_macs_ = OwnMacs(std::move(macs));
  reconcile_ports();
  events_.set_links(std::move(links));
}

void Responder::reconcile_ports() {
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) reconcile_port(slot);
}

void Responder::reconcile_port(unsigned slot) {
  const auto& names = table_->interface_names();
  const Link* link = slot < names.size() && !names[slot].empty() ? links_.find(names[slot]) : nullptr;
  std::unique_ptr<Port>& port = ports_[slot];
  if (port && (link == nullptr || link->index != port->interface_index() || link->name != port->name() ||
               port->detached())) {
    const bool wanted = slot < names.size() && names[slot] == port->name();
    close_port(slot, !wanted           ? "it is not used any more"
                     : link == nullptr ? "the interface is gone"
                                       : "the interface was replaced");
  }
  if (link == nullptr) return;
  const std::string unusable = link->unusable_reason();
  if (!port) {
    if (unusable.empty() && !opening_[slot]) {
      opening_[slot] = true;
      port_worker_.open(slot, *link);
    }
    return;
  }
  const bool moved = port->mac() != link->mac;
  port->set_mac(link->mac);
  if (!unusable.empty()) {
    if (port->usable()) events_.push(Event{EventType::kPortClosed, link->name, link->mac, unusable});
    port->set_usable(false);
    return;
  }
  if (port->usable() && !moved) return;
  port->set_usable(true);
  port->groups().retry();
  events_.push(Event{EventType::kPortOpened, link->name, link->mac});
  announce_port(slot);
}

// Much may have happened while a port was opened: one that fits no more is closed, and another opened.
void Responder::install_ports() {
  for (OpenedPort& opened : port_worker_.take()) {
    const unsigned slot = opened.slot;
    opening_[slot] = false;
    const auto& names = table_->interface_names();
    const Link* link = slot < names.size() ? links_.find(names[slot]) : nullptr;
    const bool fits = link != nullptr && link->index == opened.link.index && link->name == opened.link.name;
    if (opened.port && fits && !opened.port->detached()) {
      // The filter may have been lost meanwhile.
      if (!filter_.available()) opened.port->attach_filters(filter_);
      watch(opened.port->arp().fd(), kFirstSocketTag + slot * 2);
      watch(opened.port->ndp().fd(), kFirstSocketTag + slot * 2 + 1);
      ports_[slot] = std::move(opened.port);
      port_errors_[slot].clear();
      update_groups(*ports_[slot]);
      reconcile_port(slot);
      continue;
    }
    if (opened.port) {
      port_worker_.close(std::move(opened.port));
    } else if (fits) {
      // Tried again when the link changes.
      if (std::exchange(port_errors_[slot], opened.error) == opened.error) continue;
      events_.push(Event{EventType::kPortFailed, opened.link.name, opened.link.mac, opened.error});
      continue;
    }
    reconcile_port(slot);
  }
}

void Responder::close_port(unsigned slot, const std::string& reason) {
  if (ports_[slot]->usable()) {
    events_.push(Event{EventType::kPortClosed, ports_[slot]->name(), ports_[slot]->mac(), reason});
  }
  announcer_.cancel(slot);
  // Off epoll now: until the worker has closed them the sockets go on receiving.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, ports_[slot]->arp().fd(), nullptr);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, ports_[slot]->ndp().fd(), nullptr);
  port_worker_.close(std::move(ports_[slot]));
}

void Responder::announce_port(unsigned slot) {
  std::vector<wire::IpAddress> addresses;
  for (const IpTableEntry& entry : table_->entries()) {
    if ((entry.answer & ~entry.tentative & slot_bit(slot)) != 0) addresses.push_back(entry.address);
  }
  announcer_.cancel_announcements(slot);
  announcer_.announce(std::move(addresses), slot, options_.link_schedule, true, monotonic_ns());
}

bool Responder::drain(Port& port, PacketSocket& socket, bool is_arp) {
  const ReceivingInterface interface{port.slot(), port.mac(), &own_macs_};
  InterfaceCounters& counters = interface_counters_[port.slot()];
  Frame frame;
  size_t count = 0;
  for (; count < kFramesPerTurn && socket.next(frame); ++count) {
    const Verdict verdict = reply(frame, *table_, expired_, interface, replies_.slot());
    if (verdict.reply_size != 0) replies_.commit(verdict.reply_size);
    account(verdict, port, is_arp);
    socket.release();
    if (replies_.full()) send_replies(socket, counters);
  }
  send_replies(socket, counters);
  if (count == kFramesPerTurn) counters.ring_drops.add(socket.take_ring_drops());
  return count == kFramesPerTurn;
}

void Responder::send_replies(PacketSocket& socket, InterfaceCounters& counters) {
  const size_t wanted = replies_.size();
  counters.send_errors.add(wanted - replies_.send(socket.fd()));
}

void Responder::account(const Verdict& verdict, Port& port, bool is_arp) {
  InterfaceCounters& counters = interface_counters_[port.slot()];
  const bool answered = verdict.reply_size != 0;
  if (verdict.is_request) {
    AddressCounters& address = address_counters_.at(verdict.entry->counter_slot);
    address.requests.add(1);
    (is_arp ? counters.arp_requests : counters.solicitations).add(1);
    if (answered) {
      address.replies.add(1);
      (is_arp ? counters.arp_replies : counters.advertisements).add(1);
    }
  }
  if (!answered) counters.drops[static_cast<size_t>(verdict.drop)].add(1);
  if (verdict.has_rival) report_rival(verdict, port);
}

void Responder::report_rival(const Verdict& verdict, const Port& port) {
  const int64_t now_ns = monotonic_ns();
  const uint64_t key = static_cast<uint64_t>(verdict.entry->counter_slot) << 16 |
                       static_cast<uint64_t>(port.slot()) << 8 | static_cast<uint64_t>(verdict.rival.kind);
  if (rival_reported_ns_.size() >= kMaxRivalReports) rival_reported_ns_.clear();
  int64_t& reported_ns = rival_reported_ns_[key];
  if (reported_ns != 0 && now_ns - reported_ns < kRivalReportIntervalNs) return;
  reported_ns = now_ns;
  Event event{EventType::kRival, port.name(), verdict.rival.mac};
  event.address = verdict.entry->address;
  event.rival_kind = verdict.rival.kind;
  events_.push(std::move(event));
}

}  // namespace arpeggio
