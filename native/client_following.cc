#include "client_following.h"

#include <utility>

namespace arpeggio {

void ClientFollowing::note(const Verdict& verdict, unsigned slot, int64_t now_ns) {
  if (!verdict.has_client) return;
  journal_.note(verdict.entry->address, slot, verdict.client, now_ns);
  if (verdict.reply_size == 0 && verdict.drop == DropReason::kConfirmation) {
    follower_.confirm(verdict.entry->address, slot, verdict.client.address);
  }
}

void ClientFollowing::announce(const std::vector<wire::IpAddress>& addresses, unsigned slot,
                               const AnnouncementSchedule& schedule, FollowCause cause, uint64_t number,
                               int64_t now_ns) {
  Follower::Plan plan = Follower::plan(addresses, slot, journal_, now_ns);
  AnnouncementProgress progress = announcer_.announce(std::move(plan.addresses), slot, schedule, true, now_ns);
  follower_.follow(cause, number, slot, plan.targets, std::move(progress), now_ns);
}

bool ClientFollowing::run(int64_t now_ns, size_t budget, TransmitTarget& target) {
  const bool busy = follower_.run(now_ns, budget, target);
  report();
  return busy;
}

void ClientFollowing::cancel(unsigned slot) {
  follower_.cancel(slot);
  report();
}

void ClientFollowing::forget(SlotMask slots) {
  if (slots == 0) return;
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) {
    if ((slots & slot_bit(slot)) != 0) cancel(slot);
  }
  journal_.forget(slots);
}

void ClientFollowing::report() {
  for (const FollowReport& report : follower_.take_reports()) {
    const std::vector<std::string>& names = answering_.table->interface_names();
    if (report.slot >= names.size()) continue;
    Event event{EventType::kConfirmed, names[report.slot]};
    event.number = report.number;
    event.confirmation = {report.cause == FollowCause::kTook, report.clients, report.confirmed, report.final};
    events_.push(std::move(event));
  }
}

}  // namespace arpeggio
