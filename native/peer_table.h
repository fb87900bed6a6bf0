// The peers heard on one interface: who is new, restarted, silent; who hears us. Sans-io: frames that proved genuine and
// the time come in, reports go out. It sends nothing and decides nothing about addresses.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "drop_reason.h"
#include "wire/heartbeat.h"

namespace arpeggio {

// one-way: we hear it, it does not hear us. Values as in PeerReport of src/responder/types.ts, in this order.
enum class PeerLink : uint8_t { kDown, kOneWay, kTwoWay };

// When the last frame of a peer's process came, on the monotonic clock. Whoever was told of the peer may read it, on any
// thread, until the table has forgotten it.
using HeardTime = std::shared_ptr<std::atomic<int64_t>>;

struct PeerReport {
  std::string node;
  uint64_t incarnation = 0;
  wire::Mac mac{};
  wire::NodeState state{};
  PeerLink link = PeerLink::kDown;
  uint32_t interval_us = 0;
  uint8_t multiplier = 0;
  uint32_t hears = 0;  // other nodes, we left out
  uint32_t claims_version = 0;
  uint32_t claims_digest = 0;
  uint32_t held_version = 0;  // of our claims, that it holds
  HeardTime heard_ns = std::make_shared<std::atomic<int64_t>>(0);  // not compared

  bool operator==(const PeerReport& other) const;
  bool operator!=(const PeerReport& other) const { return !(*this == other); }
};

// Why a peer is down. Only the first three say something about the peer.
enum class PeerDownCause : uint8_t {
  kSilent,     // nothing heard for its detection time
  kLeft,       // it said so
  kRestarted,  // another incarnation of the node is there
  kDeaf,       // nothing heard, but our own port cannot be used
  kForgotten,  // the table was full
};

struct PeerDown {
  const std::string& node;
  uint64_t incarnation;
  bool was_two_way;  // until now; of others nothing may be taken over
  int64_t last_heard_ns;
  PeerDownCause cause;
};

// Told by PeerTable. Must not call back into it.
class PeerObserver {
 public:
  // Anything of the report is another than in the last one about the peer.
  virtual void peer_changed(const PeerReport& report) = 0;
  // Before peer_changed() of the same peer.
  virtual void peer_down(const PeerDown& down) = 0;

 protected:
  ~PeerObserver() = default;
};

// Which sequences of our own are fresh: whoever echoes one has heard us lately.
class SequenceHistory {
 public:
  void sent(uint64_t sequence, int64_t now_ns);
  // Whether the low half of a sequence is one that was sent within the last kFreshNs, give or take a thirty-second of it.
  bool is_fresh(uint32_t low_half, int64_t now_ns) const;

  static constexpr int64_t kFreshNs = 2'000'000'000;

 private:
  struct Sample {
    uint64_t sequence;
    int64_t sent_ns;
  };
  static constexpr size_t kSamples = 40;
  static constexpr int64_t kSpacingNs = kFreshNs / 32;

  Sample samples_[kSamples] = {};  // ring, the oldest at next_
  size_t next_ = 0;
  uint64_t last_ = 0;
};

// By incarnation of a peer: the version of its claims that we hold.
using HeldVersions = std::unordered_map<uint64_t, uint32_t>;

class PeerTable {
 public:
  static constexpr size_t kMaxPeers = 1024;
  static constexpr int64_t kForgetAfterNs = 600'000'000'000;
  static constexpr int64_t kNameReportIntervalNs = 60'000'000'000;

  PeerTable(uint64_t own_incarnation, PeerObserver& observer)
      : own_incarnation_(own_incarnation), observer_(observer) {}
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;

  struct Outcome {
    std::optional<DropReason> refusal;
    bool is_double = false;      // refused because another host has the name, and is heard
    bool report_double = false;  // at most once per peer and minute
    bool is_new = false;        // a peer, or an incarnation, that was not heard before or was down
    bool ever_two_way = false;  // the peer was, in this incarnation
  };
  // A genuine frame of another node of our cluster, from `source`.
  Outcome receive(const wire::HeartbeatFrame& frame, const uint8_t* source, const SequenceHistory& own,
                  int64_t now_ns);

  // Declares peers down that were not heard for their detection time, for `cause`, and forgets those long down.
  void judge(int64_t now_ns, PeerDownCause cause);
  // No earlier than this judge() has work. A lower bound: peers heard meanwhile move theirs.
  int64_t next_judgement_ns() const { return next_judgement_ns_; }
  // We were deaf for so long; the peers were not silent.
  void shift(int64_t gap_ns);

  // Peers whose held version differs are told first.
  void set_held(HeldVersions held);

  // Fills in what a heartbeat says of the peers: entries (at most `capacity`, at least 4) and the fields of `body` that
  // count them. Long lists rotate: each call gives the next slice, and beside it those that changed.
  void list(size_t capacity, wire::HeartbeatBody& body, wire::HeardEntry* entries);

  size_t live_count() const { return live_count_; }
  size_t two_way_count() const { return two_way_count_; }
  bool had_two_way() const { return had_two_way_; }
  // Of all peers, those down for less than kForgetAfterNs too.
  std::vector<PeerReport> reports() const;

 private:
  // Incarnations of a node that another one has replaced: they never come back, whatever is replayed.
  static constexpr size_t kRetired = 8;

  struct Peer {
    PeerReport report;
    bool reported = false;
    uint64_t sequence = 0;
    int64_t last_heard_ns = 0;
    int64_t down_since_ns = 0;
    uint32_t peer_count = 0;
    bool ever_two_way = false;
    uint8_t slices = 0;
    std::bitset<256> lacking;  // slices of its present list in which we are not
    uint32_t held_version = 0;  // of its claims, by us
    uint8_t mentions = 0;       // how often it goes before the rotation
    uint64_t retired[kRetired] = {};
    size_t retired_count = 0;
    std::optional<int64_t> name_reported_ns;

    int64_t detection_ns() const { return int64_t{report.interval_us} * 1000 * report.multiplier; }
    int64_t judgement_ns() const {
      return report.link == PeerLink::kDown ? down_since_ns + kForgetAfterNs : last_heard_ns + detection_ns();
    }
  };

  Peer* find(std::string_view node);
  Peer* add(std::string_view node, int64_t now_ns);
  bool make_room(int64_t now_ns);
  void erase(size_t position);
  bool may_replace(const Peer& peer, const wire::HeartbeatFrame& frame, const SequenceHistory& own,
                   int64_t now_ns) const;
  Outcome refuse_double(Peer& peer, int64_t now_ns) const;
  void replace(Peer& peer, int64_t now_ns);
  void read_list(Peer& peer, const wire::HeartbeatBody& body);
  void set_link(Peer& peer, PeerLink link);
  void go_down(Peer& peer, PeerDownCause cause, int64_t now_ns);
  void report(Peer& peer, const PeerReport& before);
  uint32_t held_of(uint64_t incarnation) const;
  wire::HeardEntry entry_of(Peer& peer) const;

  uint64_t own_incarnation_;
  PeerObserver& observer_;
  // A peer keeps its position, so that slices are stable. Free positions are empty.
  std::vector<std::unique_ptr<Peer>> peers_;
  std::map<std::string, size_t, std::less<>> positions_;
  HeldVersions held_;
  size_t live_count_ = 0;
  size_t two_way_count_ = 0;
  bool had_two_way_ = false;
  size_t next_slice_ = 0;
  int64_t next_judgement_ns_ = std::numeric_limits<int64_t>::max();
};

}  // namespace arpeggio
