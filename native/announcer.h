// Unsolicited frames on a schedule: announcements and probes. Large bursts go out in slices between which the caller
// answers requests; urgent work (a new owner, a probe) goes before refreshes, also before the rest of one that has begun.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "announcement_progress.h"
#include "ip_table.h"
#include "wire/ndp.h"

namespace arpeggio {

enum class FrameForm : uint8_t {
  kArpRequest,     // announcement, request form (RFC 5227 2.3)
  kArpReply,       // announcement, reply form (RFC 5944 4.6)
  kAdvertisement,  // unsolicited NA (RFC 4861 7.2.6)
  kProbe,          // ARP probe (RFC 5227 2.1.1) or DAD NS (RFC 4862 5.4.2)
  kDirected,       // to one client, by the follower
};

// One run over a list of addresses at one moment.
struct Transmission {
  int64_t due_ns;  // monotonic
  bool urgent;
  FrameForm form;
  unsigned slot;
  std::shared_ptr<const std::vector<wire::IpAddress>> addresses;
  std::shared_ptr<uint32_t> announced{};  // counts them as they are sent, where somebody waits for that
};

// Offsets from now at which a burst repeats each announcement.
struct AnnouncementSchedule {
  std::vector<uint32_t> ipv4_ms;
  std::vector<uint32_t> ipv6_ms;
};

// Where a slice of work goes. Set up by the responder for every call.
class TransmitTarget {
 public:
  virtual ~TransmitTarget() = default;
  // Room for one frame on the slot's interface, and its MAC; nullptr when the interface is not open or its queue full.
  virtual uint8_t* begin_frame(unsigned slot, const wire::IpAddress& address, FrameForm form, wire::Mac& mac) = 0;
  virtual void end_frame(size_t size) = 0;
};

class Announcer {
 public:
  Announcer();

  void add(Transmission transmission);
  // Adds the announcements of `addresses` (both families) on a slot. Over all addresses first the form that every stack
  // follows, then the other: the last address of a large burst is announced in half the time. Within a family they keep
  // their order. Returns how far the first of them have come.
  AnnouncementProgress announce(std::vector<wire::IpAddress> addresses, unsigned slot,
                                const AnnouncementSchedule& schedule, bool urgent, int64_t now_ns);
  void probe(std::vector<wire::IpAddress> addresses, unsigned slot, const std::vector<uint32_t>& offsets_ms,
             int64_t now_ns);

  // Sends at most `budget` frames of what is due. True when more is due already.
  bool run(int64_t now_ns, size_t budget, TransmitTarget& target);

  // Forgets what is scheduled for a slot: its interface is gone.
  void cancel(unsigned slot);
  // Forgets its announcements, but not its probes: all of it is announced anew.
  void cancel_announcements(unsigned slot);

  // When run() has work next; INT64_MAX when nothing is scheduled.
  int64_t next_due_ns() const;

 private:
  struct Later {
    bool operator()(const Transmission& a, const Transmission& b) const { return a.due_ns > b.due_ns; }
  };
  // Transmissions of one urgency.
  struct Lane {
    std::vector<Transmission> waiting;  // a heap by due time
    bool has_running = false;
    Transmission running{};
    size_t position = 0;

    int64_t next_due_ns() const;
  };

  size_t store(uint8_t* frame, FrameForm form, const wire::Mac& mac, const wire::IpAddress& address);
  void run_lane(Lane& lane, int64_t now_ns, size_t& budget, TransmitTarget& target);
  template <typename Predicate>
  void cancel_if(Predicate matches);

  Lane urgent_;
  Lane refresh_;
  std::mt19937_64 random_;
};

}  // namespace arpeggio
