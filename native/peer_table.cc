#include "peer_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace arpeggio {

namespace {

// A lost frame must not keep news back for a whole rotation.
constexpr uint8_t kMentions = 2;

auto fields(const PeerReport& report) {
  return std::tie(report.incarnation, report.mac, report.state, report.link, report.interval_us, report.multiplier,
                  report.hears, report.claims_version, report.claims_digest, report.held_version, report.node);
}

}  // namespace

bool PeerReport::operator==(const PeerReport& other) const { return fields(*this) == fields(other); }

void SequenceHistory::sent(uint64_t sequence, int64_t now_ns) {
  last_ = sequence;
  const Sample& newest = samples_[(next_ + kSamples - 1) % kSamples];
  if (newest.sequence != 0 && now_ns - newest.sent_ns < kSpacingNs) return;
  samples_[next_] = {sequence, now_ns};
  next_ = (next_ + 1) % kSamples;
}

bool SequenceHistory::is_fresh(uint32_t low_half, int64_t now_ns) const {
  // The oldest sample that is still fresh is the first sequence that may be echoed.
  uint64_t first = 0;
  for (const Sample& sample : samples_) {
    if (sample.sequence == 0 || now_ns - sample.sent_ns > kFreshNs) continue;
    if (first == 0 || sample.sequence < first) first = sample.sequence;
  }
  return first != 0 && static_cast<uint32_t>(last_) - low_half <= last_ - first;
}

PeerTable::Outcome PeerTable::receive(const wire::HeartbeatFrame& frame, const uint8_t* source,
                                      const SequenceHistory& own, int64_t now_ns) {
  const wire::HeartbeatHeader& header = frame.header;
  Outcome outcome;
  Peer* peer = find(header.name);
  if (peer == nullptr) {
    peer = add(header.name, now_ns);
    if (peer == nullptr) return outcome;
  } else if (peer->report.incarnation == header.incarnation) {
    if (header.sequence <= peer->sequence) {
      outcome.refusal = DropReason::kHeartbeatReplayed;
      return outcome;
    }
  } else if (may_replace(*peer, frame, own, now_ns)) {
    // Two hosts of one name: the second is no restart of the first, and the first is not lost. One that never heard us
    // does not count, or frames of it recorded long ago could keep the node out that now has the name.
    const bool alive = peer->report.link != PeerLink::kDown && peer->ever_two_way;
    if (alive && !wire::equal_mac(peer->report.mac.data(), source)) return refuse_double(*peer, now_ns);
    replace(*peer, now_ns);
  } else {
    outcome.refusal = DropReason::kHeartbeatOldIncarnation;
    return outcome;
  }

  const PeerReport before = peer->report;
  peer->sequence = header.sequence;
  peer->last_heard_ns = now_ns;
  PeerReport& now = peer->report;
  now.heard_ns->store(now_ns, std::memory_order_relaxed);
  if (now.incarnation != header.incarnation) peer->held_version = held_of(header.incarnation);
  now.incarnation = header.incarnation;
  now.mac = wire::load_mac(source);
  now.state = header.state;
  now.interval_us = header.interval_us;
  now.multiplier = header.multiplier;
  if (header.kind == wire::kHeartbeatKind) {
    now.claims_version = frame.heartbeat.claims_version;
    now.claims_digest = frame.heartbeat.claims_digest;
    peer->peer_count = frame.heartbeat.peer_count;
  }
  if (header.state == wire::NodeState::kLeaving) {
    go_down(*peer, PeerDownCause::kLeft, now_ns);
    peer->down_since_ns = now_ns;
  } else {
    outcome.is_new = now.link == PeerLink::kDown;
    if (outcome.is_new) {
      peer->mentions = kMentions;
      set_link(*peer, PeerLink::kOneWay);
    }
    if (header.kind == wire::kHeartbeatKind) read_list(*peer, frame.heartbeat);
  }
  const uint32_t us = now.link == PeerLink::kTwoWay ? 1 : 0;
  now.hears = peer->peer_count > us ? peer->peer_count - us : 0;
  next_judgement_ns_ = std::min(next_judgement_ns_, peer->judgement_ns());
  outcome.ever_two_way = peer->ever_two_way;
  report(*peer, before);
  return outcome;
}

// A newer start of the node counts at once. An older one only while it proves to hear us now: so a node whose clock was
// set back over a restart is heard, and frames recorded long ago are not. What was replaced once never comes back.
bool PeerTable::may_replace(const Peer& peer, const wire::HeartbeatFrame& frame, const SequenceHistory& own,
                            int64_t now_ns) const {
  const uint64_t incarnation = frame.header.incarnation;
  const uint64_t* retired_end = peer.retired + kRetired;
  if (std::find(peer.retired, retired_end, incarnation) != retired_end) return false;
  if (incarnation > peer.report.incarnation) return true;
  if (frame.header.kind != wire::kHeartbeatKind) return false;
  for (size_t index = 0; index < frame.heartbeat.entries.count; ++index) {
    const wire::HeardEntry entry = frame.heartbeat.entries.at(index);
    if (entry.incarnation == own_incarnation_ && own.is_fresh(entry.sequence, now_ns)) return true;
  }
  return false;
}

PeerTable::Outcome PeerTable::refuse_double(Peer& peer, int64_t now_ns) const {
  Outcome outcome;
  outcome.refusal = DropReason::kHeartbeatOldIncarnation;
  outcome.is_double = true;
  outcome.report_double = !peer.name_reported_ns || now_ns - *peer.name_reported_ns >= kNameReportIntervalNs;
  if (outcome.report_double) peer.name_reported_ns = now_ns;
  return outcome;
}

void PeerTable::replace(Peer& peer, int64_t now_ns) {
  const PeerReport before = peer.report;
  go_down(peer, PeerDownCause::kRestarted, now_ns);
  report(peer, before);
  peer.retired[peer.retired_count++ % kRetired] = peer.report.incarnation;
  PeerReport fresh;
  fresh.node = peer.report.node;
  peer.report = fresh;
  peer.reported = false;
  peer.peer_count = 0;
  peer.ever_two_way = false;
}

void PeerTable::read_list(Peer& peer, const wire::HeartbeatBody& body) {
  if (peer.slices != body.slices) {
    peer.slices = body.slices;
    peer.lacking.reset();
  }
  for (size_t index = 0; index < body.entries.count; ++index) {
    const wire::HeardEntry entry = body.entries.at(index);
    if (entry.incarnation != own_incarnation_) continue;
    peer.report.held_version = entry.held_version;
    peer.lacking.reset();
    peer.ever_two_way = true;
    had_two_way_ = true;
    set_link(peer, PeerLink::kTwoWay);
    return;
  }
  peer.lacking.set(body.slice);
  if (peer.lacking.count() < body.slices) return;
  peer.lacking.reset();
  set_link(peer, PeerLink::kOneWay);
}

void PeerTable::set_link(Peer& peer, PeerLink link) {
  const PeerLink before = peer.report.link;
  if (before == link) return;
  if (before == PeerLink::kDown) ++live_count_;
  if (link == PeerLink::kDown) --live_count_;
  if (before == PeerLink::kTwoWay) --two_way_count_;
  if (link == PeerLink::kTwoWay) ++two_way_count_;
  peer.report.link = link;
}

void PeerTable::go_down(Peer& peer, PeerDownCause cause, int64_t now_ns) {
  if (peer.report.link == PeerLink::kDown) return;
  peer.down_since_ns = now_ns;
  const bool was_two_way = peer.report.link == PeerLink::kTwoWay;
  set_link(peer, PeerLink::kDown);
  peer.lacking.reset();
  observer_.peer_down({peer.report.node, peer.report.incarnation, was_two_way, peer.last_heard_ns, cause});
}

void PeerTable::report(Peer& peer, const PeerReport& before) {
  if (peer.reported && peer.report == before) return;
  peer.reported = true;
  observer_.peer_changed(peer.report);
}

void PeerTable::judge(int64_t now_ns, PeerDownCause cause) {
  if (now_ns < next_judgement_ns_) return;
  next_judgement_ns_ = std::numeric_limits<int64_t>::max();
  for (size_t position = 0; position < peers_.size(); ++position) {
    Peer* peer = peers_[position].get();
    if (peer == nullptr) continue;
    if (now_ns >= peer->judgement_ns()) {
      if (peer->report.link == PeerLink::kDown) {
        erase(position);
        continue;
      }
      const PeerReport before = peer->report;
      go_down(*peer, cause, now_ns);
      report(*peer, before);
    }
    next_judgement_ns_ = std::min(next_judgement_ns_, peer->judgement_ns());
  }
}

void PeerTable::shift(int64_t gap_ns) {
  for (const auto& peer : peers_) {
    if (peer && peer->report.link != PeerLink::kDown) peer->last_heard_ns += gap_ns;
  }
}

uint32_t PeerTable::held_of(uint64_t incarnation) const {
  const auto found = held_.find(incarnation);
  return found == held_.end() ? 0 : found->second;
}

void PeerTable::set_held(HeldVersions held) {
  held_ = std::move(held);
  for (const auto& peer : peers_) {
    if (!peer) continue;
    const uint32_t version = held_of(peer->report.incarnation);
    if (peer->held_version == version) continue;
    peer->held_version = version;
    peer->mentions = kMentions;
  }
}

wire::HeardEntry PeerTable::entry_of(Peer& peer) const {
  if (peer.mentions != 0) --peer.mentions;
  return {peer.report.incarnation, static_cast<uint32_t>(peer.sequence), peer.held_version};
}

void PeerTable::list(size_t capacity, wire::HeartbeatBody& body, wire::HeardEntry* entries) {
  capacity = std::min<size_t>(capacity, std::numeric_limits<uint8_t>::max());
  const bool whole = live_count_ <= capacity;
  // A quarter of the room is kept for those that changed.
  const size_t width = whole ? std::max<size_t>(peers_.size(), 1) : capacity - capacity / 4;
  const size_t slices = std::max<size_t>((peers_.size() + width - 1) / width, 1);
  const size_t slice = next_slice_ % slices;
  next_slice_ = slice + 1;
  const size_t begin = slice * width;
  const size_t end = std::min(begin + width, peers_.size());
  size_t count = 0;
  for (size_t position = begin; position < end; ++position) {
    Peer* peer = peers_[position].get();
    if (peer != nullptr && peer->report.link != PeerLink::kDown) entries[count++] = entry_of(*peer);
  }
  for (size_t position = 0; position < peers_.size() && !whole && count < capacity; ++position) {
    Peer* peer = peers_[position].get();
    const bool in_slice = position >= begin && position < end;
    if (peer == nullptr || in_slice || peer->mentions == 0 || peer->report.link == PeerLink::kDown) continue;
    entries[count++] = entry_of(*peer);
  }
  body.peer_count = static_cast<uint16_t>(live_count_);
  body.slice = static_cast<uint8_t>(slice);
  body.slices = static_cast<uint8_t>(slices);
  body.entries.count = count;
}

std::vector<PeerReport> PeerTable::reports() const {
  std::vector<PeerReport> reports;
  for (const auto& [node, position] : positions_) reports.push_back(peers_[position]->report);
  return reports;
}

PeerTable::Peer* PeerTable::find(std::string_view node) {
  const auto found = positions_.find(node);
  return found == positions_.end() ? nullptr : peers_[found->second].get();
}

PeerTable::Peer* PeerTable::add(std::string_view node, int64_t now_ns) {
  if (positions_.size() >= kMaxPeers && !make_room(now_ns)) return nullptr;
  const auto free = std::find(peers_.begin(), peers_.end(), nullptr);
  const size_t position = static_cast<size_t>(free - peers_.begin());
  if (free == peers_.end()) peers_.emplace_back();
  peers_[position] = std::make_unique<Peer>();
  Peer* peer = peers_[position].get();
  peer->report.node = node;
  positions_.emplace(node, position);
  return peer;
}

// Whoever fills the table must not push out those that hear us: what is down goes first, then what was never two-way.
bool PeerTable::make_room(int64_t now_ns) {
  const auto worth = [](const Peer& peer) {
    return std::make_tuple(peer.report.link != PeerLink::kDown, peer.ever_two_way, peer.last_heard_ns);
  };
  size_t least = peers_.size();
  for (size_t position = 0; position < peers_.size(); ++position) {
    const Peer* peer = peers_[position].get();
    if (peer == nullptr || (peer->report.link != PeerLink::kDown && peer->ever_two_way)) continue;
    if (least == peers_.size() || worth(*peer) < worth(*peers_[least])) least = position;
  }
  if (least == peers_.size()) return false;
  Peer& peer = *peers_[least];
  const PeerReport before = peer.report;
  go_down(peer, PeerDownCause::kForgotten, now_ns);
  report(peer, before);
  erase(least);
  return true;
}

void PeerTable::erase(size_t position) {
  positions_.erase(peers_[position]->report.node);
  peers_[position].reset();
  while (!peers_.empty() && !peers_.back()) peers_.pop_back();
}

}  // namespace arpeggio
