#include "transmitter.h"

#include <algorithm>
#include <utility>

#include "announcement_sender.h"
#include "clock.h"

namespace arpeggio {

namespace {

// About 200 us of sending between two looks at the rings.
constexpr size_t kAnnouncementsPerTurn = 64;
constexpr size_t kRequestsPerTurn = 32;

}  // namespace

Transmitter::Transmitter(const PortSet& ports, const Answering& answering, EventQueue& events,
                         InterfaceCounters* interface_counters, AddressCounterStore& address_counters, bool clients)
    : ports_(ports),
      answering_(answering),
      interface_counters_(interface_counters),
      address_counters_(address_counters),
      clients_(clients ? std::make_unique<ClientFollowing>(announcer_, answering, events) : nullptr) {}

void Transmitter::announce(std::vector<wire::IpAddress> addresses, unsigned slot, const AnnouncementSchedule& schedule,
                           bool urgent) {
  announcer_.announce(std::move(addresses), slot, schedule, urgent, monotonic_ns());
}

void Transmitter::announce_and_follow(const std::vector<wire::IpAddress>& addresses, unsigned slot,
                                      const AnnouncementSchedule& schedule, FollowCause cause, uint64_t number) {
  if (clients_) {
    clients_->announce(addresses, slot, schedule, cause, number, monotonic_ns());
  } else {
    announce(addresses, slot, schedule, true);
  }
}

void Transmitter::announce_answered(unsigned slot, const AnnouncementSchedule& schedule) {
  std::vector<wire::IpAddress> addresses;
  for (const IpTableEntry& entry : answering_.table->entries()) {
    if ((entry.answer & ~entry.tentative & slot_bit(slot)) != 0) addresses.push_back(entry.address);
  }
  announcer_.cancel_announcements(slot);
  announce(std::move(addresses), slot, schedule, true);
}

void Transmitter::probe(std::vector<wire::IpAddress> addresses, unsigned slot,
                        const std::vector<uint32_t>& offsets_ms) {
  announcer_.probe(std::move(addresses), slot, offsets_ms, monotonic_ns());
}

void Transmitter::see(const Verdict& verdict, unsigned slot, int64_t now_ns) {
  if (clients_) clients_->note(verdict, slot, now_ns);
}

bool Transmitter::may_send(int64_t now_ns) {
  allowance_ns_ = std::min(kAllowanceNs, allowance_ns_ + (now_ns - refilled_ns_) / 5 * 4);
  refilled_ns_ = now_ns;
  return allowance_ns_ > 0;
}

bool Transmitter::run(int64_t now_ns) {
  if (next_due_ns() > now_ns || !may_send(now_ns)) return false;
  const bool busy = send_some(now_ns);
  // A thread that was interrupted did not send all the time.
  allowance_ns_ = std::max(allowance_ns_ - (monotonic_ns() - now_ns), -kWaitNs);
  return busy && allowance_ns_ > 0;
}

bool Transmitter::send_some(int64_t now_ns) {
  AnnouncementSender sender(ports_, answering_, interface_counters_, address_counters_);
  const bool busy = announcer_.run(now_ns, kAnnouncementsPerTurn, sender);
  return (clients_ && clients_->run(now_ns, kRequestsPerTurn, sender)) || busy;
}

int64_t Transmitter::next_due_ns() const {
  int64_t due_ns = announcer_.next_due_ns();
  if (clients_) due_ns = std::min(due_ns, clients_->next_due_ns());
  return allowance_ns_ > 0 ? due_ns : std::max(due_ns, refilled_ns_ + kWaitNs);
}

void Transmitter::cancel(unsigned slot) {
  announcer_.cancel(slot);
  if (clients_) clients_->cancel(slot);
}

void Transmitter::forget(SlotMask slots) {
  if (clients_) clients_->forget(slots);
}

}  // namespace arpeggio
