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
// The same rival on the same address is news again after this long.
constexpr int64_t kRivalReportIntervalNs = 200 * kNanosecondsPerMillisecond;
constexpr size_t kMaxRivalReports = 65536;

// epoll tags; those of the ports follow.
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
    Port* port = responder_.ports_.at(slot);
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
      ports_(*this, events_, filter_, links_, epoll_.get(), kFirstSocketTag,
             [this] { eventfd_write(wakeup_.get(), 1); }) {
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
        Port* port = ports_.by_tag(tag);
        if (port == nullptr) continue;  // closed by an event before this one
        PacketSocket& socket = ports_.socket_of(*port, tag);
        if ((ready[index].events & EPOLLERR) != 0) socket.take_error();
        busy = drain(*port, socket, &socket == &port->arp()) || busy;
      }
    }
    // Groups before probes: an answer has to find its way through snooping switches.
    busy = ports_.step_groups(now_ns) || busy;
    {
      Sender sender(*this);
      busy = announcer_.run(now_ns, kAnnouncementsPerTurn, sender) || busy;
    }
  }
}

int Responder::wait_timeout_ms(int64_t now_ns, bool busy) const {
  if (busy) return 0;
  int64_t next_ns = std::min(announcer_.next_due_ns(), ports_.next_due_ns());
  if (!expired_) next_ns = std::min(next_ns, deadline_ns_.load(std::memory_order_acquire));
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
    ports_.attach_filters();
    Event event{EventType::kFilterFallback};
    event.text = filter_.reason();
    events_.push(std::move(event));
  }
  if (mail.table) {
    table_ = std::move(mail.table);
    ports_.set_table(table_);
  }
  ports_.install();
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

void Responder::read_links() {
  try {
    if (links_.drain()) follow_links();
  } catch (const SystemError& error) {
    // The kernel lost events and could not tell all links anew. The next event makes us read all again.
    Event event{EventType::kLinksFailed};
    event.text = error.what();
    events_.push(std::move(event));
  }
  ports_.forget_groups(links_.take_links_without_ipv6());
  ports_.retry_groups(links_.take_links_with_new_address());
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
  ports_.reconcile();
  events_.set_links(std::move(links));
}

void Responder::port_ready(Port& port) {
  const unsigned slot = port.slot();
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
