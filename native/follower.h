// Makes clients follow an address to this node: directed requests, beside the announcements, to each client that the
// journal knows. What gratuitous frames cannot do these can (they move every stack measured), and the answer, at our MAC,
// is the proof. Sends nothing itself, reads no clock: time and a place for frames come in, reports go out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "announcement_progress.h"
#include "announcer.h"
#include "client_journal.h"

namespace arpeggio {

enum class FollowCause : uint8_t { kTook, kAnnounce };

struct FollowReport {
  FollowCause cause;
  uint64_t number;  // of the takeover, or the one given to announce()
  unsigned slot;
  uint32_t clients;
  uint32_t confirmed;
  bool final;
};

class Follower {
 public:
  // Together; what is more is not asked, and not counted.
  static constexpr size_t kMaxTargets = 16384;

  // Whom to ask.
  struct Plan {
    // All addresses, those of the most recent clients first: in this order they have to be announced.
    std::vector<wire::IpAddress> addresses;
    struct Target {
      wire::IpAddress service;
      Client client;
      uint32_t position;  // of the service among the addresses of its family
    };
    std::vector<Target> targets;  // most recent client first
  };
  static Plan plan(const std::vector<wire::IpAddress>& addresses, unsigned slot, const ClientJournal& journal,
                   int64_t now_ns);

  Follower();
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Asks the targets, each as soon as its address has been announced, again 50, 200 and 1000 ms after the start.
  void follow(FollowCause cause, uint64_t number, unsigned slot, const std::vector<Plan::Target>& targets,
              AnnouncementProgress progress, int64_t now_ns);

  // A client has answered at our MAC.
  void confirm(const wire::IpAddress& service, unsigned slot, const wire::IpAddress& client);

  // Sends at most `budget` frames (one more where the last client is of IPv6) of what is due. True when more is due.
  bool run(int64_t now_ns, size_t budget, TransmitTarget& target);

  // Its interface is gone: what was asked there is reported as final.
  void cancel(unsigned slot);

  // After 100 ms, and in the end: as soon as all have confirmed, or after 1.5 s.
  std::vector<FollowReport> take_reports();

  // When run() has work next; INT64_MAX when it waits for nothing but announcements.
  int64_t next_due_ns() const;

 private:
  using Index = uint32_t;
  static constexpr Index kNone = UINT32_MAX;
  static constexpr size_t kBuckets = 16384;

  // One call of follow(), targets by family.
  struct Cause;
  struct Target {
    Plan::Target asked;
    unsigned slot;
    Cause* cause;
    bool confirmed;
    Index next_in_bucket;
  };
  struct Round;

  Index& bucket_of(const wire::IpAddress& service, unsigned slot, const wire::IpAddress& client);
  void send(const Target& target, TransmitTarget& transmit);
  void run_round(Round& round, const Cause& cause, int64_t now_ns, size_t& budget, TransmitTarget& target);
  bool is_announced(const Round& round) const;
  int64_t due_ns(const Cause& cause) const;
  template <typename Predicate>
  void end_if(Predicate matches);
  void report(const Cause& cause, bool final);
  void release(const Cause& cause);

  const uint64_t seed_;
  std::vector<Target> targets_;
  std::vector<Index> free_targets_;
  std::vector<Index> buckets_;
  std::vector<std::unique_ptr<Cause>> causes_;  // oldest first
  std::vector<FollowReport> reports_;
};

}  // namespace arpeggio
