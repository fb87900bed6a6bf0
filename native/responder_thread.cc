// What runs on the packet thread; the rest of the class is in responder.cc.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "clock.h"
#include "responder.h"
#include "system_error.h"

namespace arpeggio {

namespace {

// Raised, a busy event loop, a neighbour process or the kernel's own packet processing under a storm does not delay
// answers: p99.9 falls from 3.5 ms to 0.1 ms. The lowest real-time priority is enough, and the kernel's throttling
// (sched_rt_runtime_us) leaves the processor to others even in a flood.
constexpr int kRealTimePriority = 1;
// Where real time is not permitted.
constexpr int kWantedNice = -15;

// One socket may not starve the other, nor the announcements and links.
constexpr size_t kFramesPerTurn = 256;
// Nothing is lost by taking few: before anybody is judged, all that has arrived is taken in. So a flood of forged frames
// (0.25 us each) shares each turn with the answers.
constexpr size_t kHeartbeatFramesPerTurn = 32;

}  // namespace

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
  PauseWatch watch(monotonic_ns(), boottime_ns());
  for (;;) {
    const int timeout_ms = wait_timeout_ms(monotonic_ns(), busy);
    const int count = epoll_wait(epoll_.get(), ready, 16, timeout_ms);
    busy = false;
    const int64_t now_ns = monotonic_ns();
    const auto pause = watch.turn(now_ns, boottime_ns(), timeout_ms * kNanosecondsPerMillisecond);
    // Without an end to the wait nobody was to be judged and nothing to be sent: standing still did no harm.
    if (timeout_ms >= 0) notice_pause(pause);
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
        const bool is_heartbeat = &socket == port->heartbeats();
        busy = (is_heartbeat ? heartbeats_->drain(*port, kHeartbeatFramesPerTurn) : drain(*port, socket)) || busy;
      }
      // Between all that takes long: peers count on them.
      run_heartbeats();
    }
    run_heartbeats();
    // Groups before probes: an answer has to find its way through snooping switches.
    busy = ports_.step_groups(now_ns) || busy;
    busy = transmitter_.run(now_ns) || busy;
  }
}

int Responder::wait_timeout_ms(int64_t now_ns, bool busy) const {
  if (busy) return 0;
  int64_t next_ns = std::min(transmitter_.next_due_ns(), ports_.next_due_ns());
  if (heartbeats_) next_ns = std::min(next_ns, heartbeats_->next_due_ns());
  if (!answering_.expired) next_ns = std::min(next_ns, deadline_ns_.load(std::memory_order_acquire));
  if (next_ns == std::numeric_limits<int64_t>::max()) return -1;
  if (next_ns <= now_ns) return 0;
  const int64_t wait_ms = (next_ns - now_ns + kNanosecondsPerMillisecond - 1) / kNanosecondsPerMillisecond;
  return static_cast<int>(std::min<int64_t>(wait_ms, 60'000));
}

void Responder::run_heartbeats() {
  const int64_t now_ns = monotonic_ns();
  if (!heartbeats_ || now_ns < heartbeats_->next_due_ns()) return;
  // Nobody is lost who only cannot reach us: our own link goes first.
  read_links();
  heartbeats_->run(now_ns);
}

// The process was stopped, or the machine: we were deaf, the peers were not silent.
void Responder::notice_pause(const PauseWatch::Pause& pause) {
  if (!heartbeats_ || pause.whole_ns < options_.heartbeat->interval_ns) return;
  if (pause.awake_ns > 0) heartbeats_->paused(pause.awake_ns);
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) {
    if (heartbeats_->has_two_way_peer(slot) && pause.whole_ns > heartbeats_->detection_ns(slot)) hold(slot, "paused");
  }
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
  if (mail.publication) set_table(std::move(*mail.publication));
  ports_.install();
  check_deadline(monotonic_ns());
  if (mail.keys) heartbeats_->set_keys(*mail.keys);
  // A message may be what an advertisement refers to.
  for (const auto& [interface_name, body] : mail.messages) heartbeats_->send_message(interface_name, body);
  for (auto& [interface_name, advertisement] : mail.advertisements) {
    heartbeats_->advertise(interface_name, std::move(advertisement));
  }
  take_orders(std::move(mail.orders));
  return true;
}

void Responder::take_orders(std::vector<Order> orders) {
  for (Order& order : orders) {
    if (order.is_probe) {
      transmitter_.probe(std::move(order.addresses), order.slot, order.offsets_ms);
    } else if (order.confirm == 0) {
      transmitter_.announce(std::move(order.addresses), order.slot, order.schedule, order.urgent);
    } else {
      transmitter_.announce_and_follow(order.addresses, order.slot, order.schedule, FollowCause::kAnnounce,
                                       order.confirm);
    }
  }
}

void Responder::check_deadline(int64_t now_ns) {
  const bool expired = now_ns >= deadline_ns_.load(std::memory_order_acquire);
  if (expired == answering_.expired) return;
  answering_.expired = expired;
  if (expired) {
    events_.push(Event{EventType::kTableExpired});
    if (heartbeats_) heartbeats_->expire(now_ns);
    return;
  }
  if (!heartbeats_) return;
  heartbeats_->renew(now_ns);
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) {
    if (heartbeats_->had_two_way_peer(slot)) hold(slot, "table-expired");
  }
}

void Responder::set_table(Publication publication) {
  const std::shared_ptr<const IpTable> table = publication.table;
  const std::vector<std::string>& before = answering_.table->interface_names();
  const std::vector<std::string>& after = table->interface_names();
  SlotMask renamed = 0;
  for (unsigned slot = 0; slot < before.size(); ++slot) {
    if (slot >= after.size() || before[slot] != after[slot]) renamed |= slot_bit(slot);
  }
  const bool renames = before != after;
  const SlotMask lifted = answering_.holds.lift(publication.holds_lifted);
  answering_.holds.forget(renamed);
  transmitter_.forget(renamed);
  takeover_.publish(std::move(publication), renamed);
  const std::shared_ptr<const IpTable> previous = std::exchange(answering_.table, table);
  ports_.set_table(table);
  if (heartbeats_ && renames) heartbeats_->set_interfaces(after);
  // What link-up left unannounced.
  for (unsigned slot = 0; slot < after.size(); ++slot) {
    if ((lifted & ~renamed & slot_bit(slot)) != 0) transmitter_.announce_answered(slot, options_.link_schedule);
  }
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

void Responder::port_ready(Port& port, bool deaf) {
  const unsigned slot = port.slot();
  if (heartbeats_) {
    // Others may have taken over while we could not be heard: first listen.
    if (deaf && heartbeats_->had_two_way_peer(slot)) hold(slot, "link-returned");
    heartbeats_->open(port, monotonic_ns());
  }
  transmitter_.announce_answered(slot, options_.link_schedule);
}

void Responder::port_unusable(unsigned slot) {
  if (heartbeats_) heartbeats_->shut(slot, monotonic_ns());
}

void Responder::port_closed(unsigned slot) {
  transmitter_.cancel(slot);
  port_unusable(slot);
}

void Responder::hold(unsigned slot, const char* reason) {
  Event event{EventType::kHeld, answering_.table->interface_names()[slot]};
  event.number = answering_.holds.hold(slot);
  event.text = reason;
  events_.push(std::move(event));
}

void Responder::peer_lost(unsigned slot, const PeerDown& down) {
  const bool says_something_of_it = down.cause == PeerDownCause::kSilent || down.cause == PeerDownCause::kLeft ||
                                    down.cause == PeerDownCause::kRestarted;
  if (!down.was_two_way || !says_something_of_it) return;
  const wire::NodeState state = heartbeats_->state(slot);
  if (state == wire::NodeState::kJoining || state == wire::NodeState::kLeaving) return;
  if (answering_.expired || answering_.holds.holds(slot)) return;
  Takeover::Taken taken = takeover_.fire(slot, down.incarnation);
  if (taken.number == 0) return;
  Event event{EventType::kTook, answering_.table->interface_names()[slot]};
  event.text = down.node;
  event.incarnation = down.incarnation;
  event.number = taken.number;
  event.after_ns = monotonic_ns() - down.last_heard_ns;
  event.addresses = taken.addresses;
  events_.push(std::move(event));
  transmitter_.announce_and_follow(taken.addresses, slot, options_.link_schedule, FollowCause::kTook, taken.number);
  transmitter_.run(monotonic_ns());
}

bool Responder::drain(Port& port, PacketSocket& socket) {
  const bool is_arp = &socket == &port.arp();
  const ReceivingInterface interface{port.slot(), port.mac(), &own_macs_, answering_.holds.holds(port.slot())};
  InterfaceCounters& counters = interface_counters_[port.slot()];
  const int64_t now_ns = monotonic_ns();
  Frame frame;
  size_t count = 0;
  for (; count < kFramesPerTurn && socket.next(frame); ++count) {
    Verdict verdict = reply(frame, *answering_.table, answering_.expired, interface, replies_.slot());
    if (is_answer_to_peers_probe(verdict, port.slot())) {
      verdict.reply_size = 0;
      verdict.drop = DropReason::kRival;
    }
    if (verdict.reply_size != 0) replies_.commit(verdict.reply_size);
    account(verdict, port, is_arp);
    transmitter_.see(verdict, port.slot(), now_ns);
    socket.release();
    if (replies_.full()) send_replies(socket, counters);
  }
  send_replies(socket, counters);
  if (count == kFramesPerTurn) counters.ring_drops.add(socket.take_ring_drops());
  return count == kFramesPerTurn;
}

// A node of the cluster that probes an address of ours has the claims to be told by. An answer to its duplicate address
// detection would go to all nodes (RFC 4862 5.4.3) and, where two sides of a cut come together, move clients for a moment.
bool Responder::is_answer_to_peers_probe(const Verdict& verdict, unsigned slot) const {
  if (verdict.reply_size == 0 || !verdict.has_rival) return false;
  const RivalKind kind = verdict.rival.kind;
  const bool asks = kind == RivalKind::kDad || kind == RivalKind::kArpProbe;
  return asks && heartbeats_ && heartbeats_->knows_mac(slot, verdict.rival.mac);
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
  const unsigned slot = port.slot();
  // A peer that uses what we do not answer is its owner: no news, and 10,000 of them in a burst.
  if (heartbeats_ && heartbeats_->knows_mac(slot, verdict.rival.mac) && !answering_.answers(*verdict.entry, slot)) {
    return;
  }
  if (!rival_reports_.is_news(verdict, slot)) return;
  Event event{EventType::kRival, port.name(), verdict.rival.mac};
  event.address = verdict.entry->address;
  event.rival_kind = verdict.rival.kind;
  events_.push(std::move(event));
}

}  // namespace arpeggio
