// All that is sent unasked on behalf of the addresses: announcements, probes, and requests that make clients follow. Sends
// in slices, between which the packet thread, to which it belongs, answers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "announcer.h"
#include "answering.h"
#include "client_following.h"
#include "counters.h"
#include "port_set.h"

namespace arpeggio {

class Transmitter {
 public:
  // `interface_counters` has one element per slot. `clients`: keep a journal of them; without it nobody is asked to
  // follow. Everything given outlives this.
  Transmitter(const PortSet& ports, const Answering& answering, EventQueue& events,
              InterfaceCounters* interface_counters, AddressCounterStore& address_counters, bool clients);

  void announce(std::vector<wire::IpAddress> addresses, unsigned slot, const AnnouncementSchedule& schedule, bool urgent);
  // At once; also asks each known client of the addresses to follow, and reports under `number` how many have.
  void announce_and_follow(const std::vector<wire::IpAddress>& addresses, unsigned slot,
                           const AnnouncementSchedule& schedule, FollowCause cause, uint64_t number);
  // All that is answered on the slot, in place of what is announced there already.
  void announce_answered(unsigned slot, const AnnouncementSchedule& schedule);
  void probe(std::vector<wire::IpAddress> addresses, unsigned slot, const std::vector<uint32_t>& offsets_ms);

  // What a frame told of a client: that it asks for an address, or that it has followed.
  void see(const Verdict& verdict, unsigned slot, int64_t now_ns);

  // Sends some of what is due. True when more is due already.
  bool run(int64_t now_ns);
  int64_t next_due_ns() const;

  // The interface is gone: nothing more is sent there.
  void cancel(unsigned slot);
  // These slots are other interfaces from now on.
  void forget(SlotMask slots);

 private:
  // Of each second four fifths may be spent on sending. A real-time thread that takes all of it is stopped by the kernel
  // for 50 ms of each second (sched_rt_runtime_us), and answers and heartbeats with it. A burst of 10,000 is within.
  static constexpr int64_t kAllowanceNs = 200'000'000;
  static constexpr int64_t kWaitNs = 2'000'000;

  bool may_send(int64_t now_ns);
  bool send_some(int64_t now_ns);

  const PortSet& ports_;
  const Answering& answering_;
  InterfaceCounters* interface_counters_;
  AddressCounterStore& address_counters_;
  Announcer announcer_;
  std::unique_ptr<ClientFollowing> clients_;  // nullptr: nobody is asked to follow
  // How long may be sent, at the time `refilled_ns_`.
  int64_t allowance_ns_ = kAllowanceNs;
  int64_t refilled_ns_ = 0;
};

}  // namespace arpeggio
