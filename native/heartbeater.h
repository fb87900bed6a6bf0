// The heartbeat protocol on all interfaces of the node: sends heartbeats and messages, checks those that arrive, judges the
// peers. Sans-io: frames and the monotonic time come in, frames and reports go out through HeartbeatSink. Belongs to one
// thread. It answers and takes over nothing.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drop_reason.h"
#include "frame_authenticator.h"
#include "ip_table.h"
#include "peer_table.h"
#include "refusal_log.h"
#include "reply.h"
#include "wire/heartbeat.h"

namespace arpeggio {

using HeartbeatKeys = std::vector<std::vector<uint8_t>>;

// HeartbeatOptions of src/responder/types.ts, which has them checked.
struct HeartbeatOptions {
  std::string node;  // 1..wire::kMaxNodeNameSize bytes
  std::string cluster;
  uint64_t incarnation = 0;  // not 0
  int64_t interval_ns = 50'000'000;
  uint8_t multiplier = 3;
  HeartbeatKeys keys;
};

// What heartbeats say on one interface, beside what is known here. Before the first one: joining, nothing claimed or held.
struct Advertisement {
  wire::NodeState state = wire::NodeState::kJoining;
  uint32_t claims_version = 0;
  uint32_t claims_digest = 0;
  HeldVersions held;
};

// Called from within the Heartbeater's methods; must not call back into it.
class HeartbeatSink {
 public:
  // The frame is gone when the call returns.
  virtual void send_frame(unsigned slot, const uint8_t* frame, size_t size) = 0;
  // Before peer_changed(), so that what is armed against the loss goes first.
  virtual void peer_down(unsigned slot, const PeerDown& down) = 0;
  virtual void peer_changed(unsigned slot, const PeerReport& report) = 0;
  virtual void peer_message(unsigned slot, const std::string& node, uint64_t incarnation, const uint8_t* body,
                            size_t size) = 0;
  // At most once per source, reason and minute; `count` since the last one. Beside the reason that on_frame() returns.
  virtual void frame_refused(unsigned slot, const wire::Mac& source, DropReason reason, uint32_t count) = 0;
  // Our own frames of `other_slot` arrive at `slot`. Once per pair.
  virtual void same_segment(unsigned slot, unsigned other_slot) = 0;
  // Another host says that it is `node`: we, or a peer that is heard. At most once a minute for each.
  virtual void name_in_use(unsigned slot, const wire::Mac& source, const std::string& node) = 0;

 protected:
  ~HeartbeatSink() = default;
};

class Heartbeater {
 public:
  // `random` returns numbers in [0, 1). Throws std::runtime_error where OpenSSL refuses.
  Heartbeater(HeartbeatOptions options, HeartbeatSink& sink, std::function<double()> random);
  ~Heartbeater();
  Heartbeater(const Heartbeater&) = delete;
  Heartbeater& operator=(const Heartbeater&) = delete;

  // The first key signs; each is accepted. Throws std::runtime_error where OpenSSL refuses, and keeps the old ones.
  void set_keys(const HeartbeatKeys& keys);

  // The slot's port can be used, with this MAC; called again when that changes. Heartbeats go out from now on.
  void open(unsigned slot, const wire::Mac& mac, int64_t now_ns);
  // It cannot be used: nothing is sent, and who is not heard any more is down by PeerDownCause::kDeaf.
  void shut(unsigned slot, int64_t now_ns);
  // The slot is not used any more: its peers are forgotten without a word.
  void forget(unsigned slot);

  // Sent at once when state or claims version are new. Leaving: three heartbeats say so, then there are no more.
  void advertise(unsigned slot, Advertisement advertisement, int64_t now_ns);

  // Sends a message on the slot, now. False when it does not fit, the port cannot be used or we have left.
  bool send_message(unsigned slot, const uint8_t* body, size_t size, int64_t now_ns);

  // A frame that arrived on the slot. The reason when it is dropped; frames of a kind that later releases bring are
  // ignored without one.
  std::optional<DropReason> on_frame(const Frame& frame, unsigned slot, int64_t now_ns);

  // Judges the peers and sends what is due. The caller has taken in what the sockets held.
  void tick(int64_t now_ns);
  // When tick() has work next; INT64_MAX for never.
  int64_t next_due_ns() const;

  // The thread stood still for so long: peers are judged as if it had not. Comes before the frames that waited meanwhile.
  void paused(int64_t gap_ns);
  // The table expired: leaves like advertise(leaving), on all slots, until it is renewed.
  void expire(int64_t now_ns);
  void renew(int64_t now_ns);

  // As advertised on the slot: grows with the peers. The configured one where nobody was heard.
  int64_t interval_ns(unsigned slot) const;
  int64_t detection_ns(unsigned slot) const { return interval_ns(slot) * options_.multiplier; }
  // Whether any peer hears us, or ever did since the slot is used.
  bool has_two_way_peer(unsigned slot) const;
  bool had_two_way_peer(unsigned slot) const;
  std::vector<PeerReport> peers(unsigned slot) const;

 private:
  struct Segment;

  Segment& segment(unsigned slot);
  std::optional<DropReason> check(const wire::HeartbeatFrame& frame, const uint8_t* bytes, Segment& segment,
                                  int64_t now_ns);
  std::optional<DropReason> refuse(Segment& segment, const uint8_t* source, DropReason reason, int64_t now_ns);
  void report_own_frame(const uint8_t* source, Segment& segment);
  void start_leaving(Segment& segment, int64_t now_ns);
  bool has_left(const Segment& segment) const;
  void send_due(Segment& segment, int64_t now_ns);
  void send_heartbeat(Segment& segment, wire::NodeState state, int64_t now_ns);
  wire::HeartbeatHeader next_header(const Segment& segment, uint8_t kind, wire::NodeState state, int64_t now_ns);
  bool finish_and_send(const Segment& segment, size_t size);

  HeartbeatOptions options_;
  HeartbeatSink& sink_;
  std::function<double()> random_;
  wire::ClusterId cluster_;
  FrameAuthenticator authenticator_;
  // One sequence for all interfaces: it only ever grows on each, also when an interface gets another slot.
  uint64_t sequence_ = 0;
  SequenceHistory history_;
  bool expired_ = false;
  std::array<std::unique_ptr<Segment>, kMaxSlots> segments_;
  std::array<uint8_t, wire::kMaxHeartbeatFrameSize> buffer_;
};

}  // namespace arpeggio
