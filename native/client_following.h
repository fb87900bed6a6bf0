// Keeps the journal of clients and, where addresses are announced because this node took them, has each known client
// asked to follow: joins journal, follower and announcer for the packet thread.
#pragma once

#include <cstdint>
#include <vector>

#include "announcer.h"
#include "answering.h"
#include "client_journal.h"
#include "events.h"
#include "follower.h"

namespace arpeggio {

class ClientFollowing {
 public:
  ClientFollowing(Announcer& announcer, const Answering& answering, EventQueue& events)
      : announcer_(announcer), answering_(answering), events_(events) {}

  // For every verdict on a frame that has come in on the slot.
  void note(const Verdict& verdict, unsigned slot, int64_t now_ns);

  // Announces the addresses, those of the most recent clients first, and asks the clients. Ends in an event `confirmed`.
  void announce(const std::vector<wire::IpAddress>& addresses, unsigned slot, const AnnouncementSchedule& schedule,
                FollowCause cause, uint64_t number, int64_t now_ns);

  // As Follower::run(), to be called after Announcer::run().
  bool run(int64_t now_ns, size_t budget, TransmitTarget& target);
  int64_t next_due_ns() const { return follower_.next_due_ns(); }

  // The slot's interface is closed: nobody is asked there any more. The journal stays.
  void cancel(unsigned slot);
  // The slots are about to become other interfaces.
  void forget(SlotMask slots);

 private:
  void report();

  Announcer& announcer_;
  const Answering& answering_;
  EventQueue& events_;
  ClientJournal journal_;
  Follower follower_;
};

}  // namespace arpeggio
