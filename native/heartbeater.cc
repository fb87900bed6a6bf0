#include "heartbeater.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace arpeggio {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kMillisecondNs = 1'000'000;
// A segment carries some 2,000 heartbeats a second at most, whatever the number of nodes.
constexpr int64_t kIntervalPerNodeNs = 500'000;
constexpr double kJitter = 0.1;
// Between heartbeats beside the schedule. With many nodes more, or the news of all would double the load.
constexpr int64_t kAtOnceSpacingNs = 5 * kMillisecondNs;
constexpr int kLeavingBurst = 3;
constexpr int64_t kLeavingSpacingNs = 5 * kMillisecondNs;

}  // namespace

// One interface of ours and the peers heard on it.
struct Heartbeater::Segment final : PeerObserver {
  Segment(unsigned slot_number, uint64_t incarnation, HeartbeatSink& to)
      : slot(slot_number), sink(to), peers(incarnation, *this) {}

  void peer_changed(const PeerReport& report) override { sink.peer_changed(slot, report); }
  void peer_down(const PeerDown& down) override { sink.peer_down(slot, down); }

  const unsigned slot;
  HeartbeatSink& sink;
  PeerTable peers;
  RefusalLog refusals;
  bool usable = false;
  wire::Mac mac{};
  int64_t shut_ns = 0;
  wire::NodeState state = wire::NodeState::kJoining;
  uint32_t claims_version = 0;
  uint32_t claims_digest = 0;
  int64_t scheduled_ns = 0;
  bool at_once = false;
  int64_t at_once_from_ns = 0;
  int leaving_left = 0;
  int64_t leaving_ns = 0;
  SlotMask same_segment_reported = 0;
  bool name_reported = false;
  int64_t name_reported_ns = 0;
};

Heartbeater::Heartbeater(HeartbeatOptions options, HeartbeatSink& sink, std::function<double()> random)
    : options_(std::move(options)),
      sink_(sink),
      random_(std::move(random)),
      cluster_(cluster_id(options_.cluster)),
      authenticator_(options_.keys) {}

Heartbeater::~Heartbeater() = default;

void Heartbeater::set_keys(const HeartbeatKeys& keys) { authenticator_ = FrameAuthenticator(keys); }

Heartbeater::Segment& Heartbeater::segment(unsigned slot) {
  std::unique_ptr<Segment>& segment = segments_[slot];
  if (!segment) segment = std::make_unique<Segment>(slot, options_.incarnation, sink_);
  return *segment;
}

void Heartbeater::open(unsigned slot, const wire::Mac& mac, int64_t now_ns) {
  Segment& opened = segment(slot);
  opened.at_once |= opened.usable && opened.mac != mac;
  opened.mac = mac;
  if (opened.usable) return;
  opened.usable = true;
  if (opened.shut_ns != 0) opened.peers.shift(now_ns - opened.shut_ns);
  opened.scheduled_ns = now_ns;
}

void Heartbeater::shut(unsigned slot, int64_t now_ns) {
  if (!segments_[slot] || !segments_[slot]->usable) return;
  segments_[slot]->usable = false;
  segments_[slot]->shut_ns = now_ns;
  segments_[slot]->leaving_left = 0;
}

void Heartbeater::forget(unsigned slot) { segments_[slot].reset(); }

void Heartbeater::advertise(unsigned slot, Advertisement advertisement, int64_t now_ns) {
  Segment& on = segment(slot);
  const bool had_left = has_left(on);
  const bool changes_state = on.state != advertisement.state;
  on.at_once |= changes_state || on.claims_version != advertisement.claims_version;
  on.state = advertisement.state;
  on.claims_version = advertisement.claims_version;
  on.claims_digest = advertisement.claims_digest;
  on.peers.set_held(std::move(advertisement.held));
  if (has_left(on)) {
    if (!had_left) start_leaving(on, now_ns);
  } else if (had_left) {
    on.leaving_left = 0;
    on.scheduled_ns = now_ns;
  }
}

bool Heartbeater::has_left(const Segment& segment) const {
  return expired_ || segment.state == wire::NodeState::kLeaving;
}

void Heartbeater::start_leaving(Segment& segment, int64_t now_ns) {
  segment.leaving_left = segment.usable ? kLeavingBurst : 0;
  segment.leaving_ns = now_ns;
}

void Heartbeater::expire(int64_t now_ns) {
  if (expired_) return;
  for (const auto& segment : segments_) {
    if (segment && !has_left(*segment)) start_leaving(*segment, now_ns);
  }
  expired_ = true;
}

void Heartbeater::renew(int64_t now_ns) {
  if (!expired_) return;
  expired_ = false;
  for (const auto& segment : segments_) {
    if (!segment || has_left(*segment)) continue;
    segment->leaving_left = 0;
    segment->scheduled_ns = now_ns;
  }
}

void Heartbeater::paused(int64_t gap_ns) {
  for (const auto& segment : segments_) {
    // The time of a port that is shut counts when it opens.
    if (segment && segment->usable) segment->peers.shift(gap_ns);
  }
}

int64_t Heartbeater::interval_ns(unsigned slot) const {
  const size_t peers = segments_[slot] ? segments_[slot]->peers.live_count() : 0;
  return std::max(options_.interval_ns, static_cast<int64_t>(peers + 1) * kIntervalPerNodeNs);
}

bool Heartbeater::has_two_way_peer(unsigned slot) const {
  return segments_[slot] && segments_[slot]->peers.two_way_count() != 0;
}

bool Heartbeater::had_two_way_peer(unsigned slot) const {
  return segments_[slot] && segments_[slot]->peers.had_two_way();
}

std::vector<PeerReport> Heartbeater::peers(unsigned slot) const {
  return segments_[slot] ? segments_[slot]->peers.reports() : std::vector<PeerReport>();
}

std::optional<DropReason> Heartbeater::on_frame(const Frame& frame, unsigned slot, int64_t now_ns) {
  if (frame.type == PacketType::kOutgoing) return DropReason::kOutgoing;
  if (frame.has_vlan && (frame.vlan_tci & 0x0fff) != 0) return DropReason::kOtherVlan;
  if (frame.type == PacketType::kOtherHost) return DropReason::kOtherHost;
  if (frame.size < wire::kEthernetHeaderSize) return DropReason::kTruncated;
  if (wire::load16(frame.bytes + 12) != wire::kEtherTypeHeartbeat) return DropReason::kOtherEtherType;
  if (!wire::equal_mac(frame.bytes, wire::kHeartbeatGroup.data())) return DropReason::kOtherDestination;
  // What its socket still held when the slot was forgotten.
  if (!segments_[slot]) return std::nullopt;
  Segment& on = *segments_[slot];
  const uint8_t* source = frame.bytes + 6;
  wire::HeartbeatFrame parsed;
  switch (wire::parse_heartbeat(frame.bytes, frame.size, parsed)) {
    case wire::HeartbeatSyntax::kMalformed:
      return refuse(on, source, DropReason::kHeartbeatMalformed, now_ns);
    case wire::HeartbeatSyntax::kOtherMajor:
      return refuse(on, source, DropReason::kHeartbeatVersion, now_ns);
    case wire::HeartbeatSyntax::kUnknownKind:
      return std::nullopt;
    case wire::HeartbeatSyntax::kValid:
      return check(parsed, frame.bytes, on, now_ns);
  }
  return std::nullopt;
}

std::optional<DropReason> Heartbeater::check(const wire::HeartbeatFrame& frame, const uint8_t* bytes, Segment& segment,
                                             int64_t now_ns) {
  const uint8_t* source = bytes + 6;
  if (frame.header.cluster != cluster_) return refuse(segment, source, DropReason::kHeartbeatCluster, now_ns);
  if (frame.header.incarnation == options_.incarnation) {
    report_own_frame(source, segment);
    return DropReason::kOwnFrame;
  }
  if (authenticator_.has_keys() != (frame.mac != nullptr)) {
    return refuse(segment, source, DropReason::kHeartbeatUnauthenticated, now_ns);
  }
  if (frame.mac != nullptr &&
      !authenticator_.verify(bytes + wire::kAuthenticatedFrom, frame.authenticated_size, frame.mac)) {
    return refuse(segment, source, DropReason::kHeartbeatForged, now_ns);
  }
  if (frame.header.name == options_.node) {
    if (!segment.name_reported || now_ns - segment.name_reported_ns >= PeerTable::kNameReportIntervalNs) {
      segment.name_reported = true;
      segment.name_reported_ns = now_ns;
      sink_.name_in_use(segment.slot, wire::load_mac(source), options_.node);
    }
    return DropReason::kHeartbeatOldIncarnation;
  }
  const PeerTable::Outcome outcome = segment.peers.receive(frame, source, history_, now_ns);
  if (outcome.report_double) {
    sink_.name_in_use(segment.slot, wire::load_mac(source), std::string(frame.header.name));
  }
  if (outcome.is_double) return outcome.refusal;
  if (outcome.refusal) return refuse(segment, source, *outcome.refusal, now_ns);
  // A newcomer learns at once that it is heard.
  segment.at_once |= outcome.is_new;
  if (frame.header.kind == wire::kMessageKind && outcome.ever_two_way) {
    sink_.peer_message(segment.slot, std::string(frame.header.name), frame.header.incarnation, frame.body,
                       frame.body_size);
  }
  return std::nullopt;
}

std::optional<DropReason> Heartbeater::refuse(Segment& segment, const uint8_t* source, DropReason reason,
                                              int64_t now_ns) {
  const uint32_t count = segment.refusals.add(source, reason, now_ns);
  if (count != 0) sink_.frame_refused(segment.slot, wire::load_mac(source), reason, count);
  return reason;
}

// Interfaces may share a MAC (VLANs, bonds): only one that is not the receiver's own names the sender.
void Heartbeater::report_own_frame(const uint8_t* source, Segment& segment) {
  if (wire::equal_mac(segment.mac.data(), source)) return;
  for (const auto& other : segments_) {
    if (!other || !wire::equal_mac(other->mac.data(), source)) continue;
    if ((segment.same_segment_reported & slot_bit(other->slot)) != 0) return;
    segment.same_segment_reported |= slot_bit(other->slot);
    other->same_segment_reported |= slot_bit(segment.slot);
    sink_.same_segment(segment.slot, other->slot);
    return;
  }
}

void Heartbeater::tick(int64_t now_ns) {
  for (const auto& segment : segments_) {
    if (!segment) continue;
    segment->peers.judge(now_ns, segment->usable ? PeerDownCause::kSilent : PeerDownCause::kDeaf);
    if (segment->usable) send_due(*segment, now_ns);
  }
}

int64_t Heartbeater::next_due_ns() const {
  int64_t due_ns = kNever;
  for (const auto& segment : segments_) {
    if (!segment) continue;
    due_ns = std::min(due_ns, segment->peers.next_judgement_ns());
    if (!segment->usable) continue;
    if (segment->leaving_left != 0) {
      due_ns = std::min(due_ns, segment->leaving_ns);
    } else if (!has_left(*segment)) {
      due_ns = std::min(due_ns, segment->scheduled_ns);
      if (segment->at_once) due_ns = std::min(due_ns, segment->at_once_from_ns);
    }
  }
  return due_ns;
}

void Heartbeater::send_due(Segment& segment, int64_t now_ns) {
  if (segment.leaving_left != 0) {
    if (now_ns < segment.leaving_ns) return;
    --segment.leaving_left;
    segment.leaving_ns = now_ns + kLeavingSpacingNs;
    send_heartbeat(segment, wire::NodeState::kLeaving, now_ns);
    return;
  }
  if (has_left(segment)) return;
  const bool scheduled = now_ns >= segment.scheduled_ns;
  if (!scheduled && !(segment.at_once && now_ns >= segment.at_once_from_ns)) return;
  const int64_t interval = interval_ns(segment.slot);
  if (scheduled) {
    segment.scheduled_ns = now_ns + static_cast<int64_t>(static_cast<double>(interval) * (1 - kJitter * random_()));
  } else {
    const auto nodes = static_cast<int64_t>(segment.peers.live_count() + 1);
    segment.at_once_from_ns = now_ns + std::max(kAtOnceSpacingNs, nodes * kIntervalPerNodeNs / 2);
  }
  segment.at_once = false;
  send_heartbeat(segment, segment.state, now_ns);
}

void Heartbeater::send_heartbeat(Segment& segment, wire::NodeState state, int64_t now_ns) {
  wire::HeartbeatBody body{};
  body.claims_version = segment.claims_version;
  body.claims_digest = segment.claims_digest;
  wire::HeardEntry entries[std::numeric_limits<uint8_t>::max()];
  segment.peers.list(wire::heard_entries_that_fit(options_.node.size()), body, entries);
  const wire::HeartbeatHeader header = next_header(segment, wire::kHeartbeatKind, state, now_ns);
  finish_and_send(segment, wire::store_heartbeat(buffer_.data(), segment.mac, header, body, entries,
                                                 authenticator_.has_keys()));
}

bool Heartbeater::send_message(unsigned slot, const uint8_t* body, size_t size, int64_t now_ns) {
  if (!segments_[slot] || !segments_[slot]->usable || has_left(*segments_[slot])) return false;
  Segment& on = *segments_[slot];
  const size_t rest = wire::kEthernetHeaderSize + wire::kHeartbeatHeaderSize + options_.node.size() +
                      wire::kHeartbeatMacSize;
  if (size > wire::kMaxMessageSize || rest + size > wire::kMaxHeartbeatFrameSize) return false;
  const wire::HeartbeatHeader header = next_header(on, wire::kMessageKind, on.state, now_ns);
  return finish_and_send(
      on, wire::store_message(buffer_.data(), on.mac, header, body, size, authenticator_.has_keys()));
}

wire::HeartbeatHeader Heartbeater::next_header(const Segment& segment, uint8_t kind, wire::NodeState state,
                                               int64_t now_ns) {
  history_.sent(++sequence_, now_ns);
  wire::HeartbeatHeader header{};
  header.minor = wire::kHeartbeatMinor;
  header.kind = kind;
  header.cluster = cluster_;
  header.incarnation = options_.incarnation;
  header.sequence = sequence_;
  header.interval_us = static_cast<uint32_t>((interval_ns(segment.slot) + 999) / 1000);
  header.multiplier = options_.multiplier;
  header.state = state;
  header.name = options_.node;
  return header;
}

bool Heartbeater::finish_and_send(const Segment& segment, size_t size) {
  if (authenticator_.has_keys()) {
    wire::HeartbeatMac mac;
    const uint8_t* covered = buffer_.data() + wire::kAuthenticatedFrom;
    if (!authenticator_.sign(covered, size - wire::kAuthenticatedFrom, mac)) return false;
    std::memcpy(buffer_.data() + size, mac.data(), mac.size());
    size += mac.size();
  }
  sink_.send_frame(segment.slot, buffer_.data(), wire::pad_frame(buffer_.data(), size));
  return true;
}

}  // namespace arpeggio
