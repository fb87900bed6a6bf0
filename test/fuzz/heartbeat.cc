// Fuzzes the heartbeat protocol: an input is a story of two nodes with and without a key that hear frames, advertise,
// pause and come back while time goes on. Whatever happens: what was parsed is written back as the same bytes, what is
// sent is valid and numbered upwards, nobody goes down who was not up, and the thread never spins.
// An input is records: what (1 byte), milliseconds until then (1), size (2), that many bytes of a frame or message.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "check_reply.h"
#include "heartbeater.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using namespace arpeggio;

constexpr uint64_t kIncarnation = 0xa01;
constexpr wire::Mac kMacs[2] = {{0x02, 0, 0, 0, 0, 0x10}, {0x02, 0, 0, 0, 0, 0x11}};
constexpr size_t kRecordSize = 4;
const std::vector<uint8_t> kKey = {'k', 'e', 'y'};

enum class What : uint8_t { kFrame, kSignedFrame, kAdvertise, kMessage, kPause, kShut, kOpen, kExpire, kRenew, kCount };

What what_of(uint8_t byte) { return static_cast<What>((byte >> 1) % static_cast<uint8_t>(What::kCount)); }

std::vector<uint8_t> written_back(const uint8_t* frame, const wire::HeartbeatFrame& parsed) {
  std::vector<uint8_t> out(wire::kMaxHeartbeatFrameSize + 600);
  const wire::Mac source = wire::load_mac(frame + 6);
  const bool has_mac = parsed.mac != nullptr;
  size_t size;
  if (parsed.header.kind == wire::kHeartbeatKind) {
    std::vector<wire::HeardEntry> entries;
    for (size_t at = 0; at < parsed.heartbeat.entries.count; ++at) entries.push_back(parsed.heartbeat.entries.at(at));
    // As many as one byte counts: beyond what a frame of ours would hold.
    out.resize(out.size() + entries.size() * wire::kHeardEntrySize);
    size = wire::store_heartbeat(out.data(), source, parsed.header, parsed.heartbeat, entries.data(), has_mac);
  } else {
    size = wire::store_message(out.data(), source, parsed.header, parsed.body, parsed.body_size, has_mac);
  }
  out.resize(size);
  if (has_mac) out.insert(out.end(), parsed.mac, parsed.mac + wire::kHeartbeatMacSize);
  return out;
}

bool same_fields(const wire::HeartbeatHeader& a, const wire::HeartbeatHeader& b) {
  return a.kind == b.kind && a.cluster == b.cluster && a.incarnation == b.incarnation && a.sequence == b.sequence &&
         a.interval_us == b.interval_us && a.multiplier == b.multiplier && a.state == b.state && a.name == b.name;
}

// A frame without fields of later minors comes out as it went in; one with them loses those alone.
void check_codec(const std::vector<uint8_t>& frame) {
  wire::HeartbeatFrame parsed;
  if (wire::parse_heartbeat(frame.data(), frame.size(), parsed) != wire::HeartbeatSyntax::kValid) return;
  const uint8_t* end = frame.data() + frame.size();
  ARPEGGIO_CHECK(parsed.body >= frame.data() && parsed.body + parsed.body_size <= end);
  ARPEGGIO_CHECK(parsed.mac == nullptr || parsed.mac + wire::kHeartbeatMacSize <= end);
  ARPEGGIO_CHECK(wire::kAuthenticatedFrom + parsed.authenticated_size <= frame.size());
  const std::vector<uint8_t> out = written_back(frame.data(), parsed);
  // Frame length, header length: with the same no field of a later minor is among it.
  if (std::memcmp(out.data() + 22, frame.data() + 22, 4) == 0 && frame[21] <= wire::kHasMacFlag) {
    ARPEGGIO_CHECK(out.size() <= frame.size() && std::memcmp(out.data(), frame.data(), out.size()) == 0);
  }
  wire::HeartbeatFrame again;
  ARPEGGIO_CHECK(wire::parse_heartbeat(out.data(), out.size(), again) == wire::HeartbeatSyntax::kValid);
  ARPEGGIO_CHECK(same_fields(parsed.header, again.header));
  if (parsed.header.kind == wire::kMessageKind) {
    ARPEGGIO_CHECK(again.body_size == parsed.body_size);
    ARPEGGIO_CHECK(std::memcmp(again.body, parsed.body, parsed.body_size) == 0);
  } else {
    ARPEGGIO_CHECK(again.heartbeat.claims_version == parsed.heartbeat.claims_version);
    ARPEGGIO_CHECK(again.heartbeat.claims_digest == parsed.heartbeat.claims_digest);
    ARPEGGIO_CHECK(again.heartbeat.peer_count == parsed.heartbeat.peer_count);
    ARPEGGIO_CHECK(again.heartbeat.slice == parsed.heartbeat.slice && again.heartbeat.slices == parsed.heartbeat.slices);
    ARPEGGIO_CHECK(again.heartbeat.entries.count == parsed.heartbeat.entries.count);
    ARPEGGIO_CHECK(std::memcmp(again.heartbeat.entries.bytes, parsed.heartbeat.entries.bytes,
                               parsed.heartbeat.entries.count * wire::kHeardEntrySize) == 0);
  }
}

// Holds what a Heartbeater says against what it said before.
class Witness final : public HeartbeatSink {
 public:
  explicit Witness(bool has_key) : has_key_(has_key) {}

  void send_frame(unsigned slot, const uint8_t* frame, size_t size) override {
    wire::HeartbeatFrame parsed;
    ARPEGGIO_CHECK(size >= wire::kEthernetMinimumSize && size <= wire::kMaxHeartbeatFrameSize);
    ARPEGGIO_CHECK(wire::parse_heartbeat(frame, size, parsed) == wire::HeartbeatSyntax::kValid);
    ARPEGGIO_CHECK(wire::equal_mac(frame + 6, kMacs[slot].data()) && parsed.header.incarnation == kIncarnation);
    ARPEGGIO_CHECK(parsed.header.sequence == ++sequence_ && (parsed.mac != nullptr) == has_key_);
  }

  void peer_down(unsigned slot, const PeerDown& down) override {
    const PeerReport& last = reports_.at({slot, down.node});
    ARPEGGIO_CHECK(last.link != PeerLink::kDown && last.incarnation == down.incarnation);
    ARPEGGIO_CHECK(down.was_two_way == (last.link == PeerLink::kTwoWay));
    going_down_ = true;
  }

  void peer_changed(unsigned slot, const PeerReport& report) override {
    PeerReport& last = reports_[{slot, report.node}];
    ARPEGGIO_CHECK(report != last && report.incarnation != kIncarnation && report.node != "host-a");
    const bool was_up = last.incarnation == report.incarnation && last.link != PeerLink::kDown;
    ARPEGGIO_CHECK(going_down_ == (was_up && report.link == PeerLink::kDown));
    going_down_ = false;
    last = report;
  }

  void peer_message(unsigned slot, const std::string& node, uint64_t incarnation, const uint8_t*, size_t size) override {
    ARPEGGIO_CHECK(size <= wire::kMaxMessageSize && reports_.at({slot, node}).incarnation == incarnation);
  }

  void frame_refused(unsigned, const wire::Mac&, DropReason reason, uint32_t count) override {
    ARPEGGIO_CHECK(count > 0 && reason >= DropReason::kHeartbeatMalformed);
  }
  void same_segment(unsigned slot, unsigned other_slot) override { ARPEGGIO_CHECK(slot != other_slot); }
  void name_in_use(unsigned, const wire::Mac&, const std::string&) override {}

 private:
  bool has_key_;
  bool going_down_ = false;
  uint64_t sequence_ = 0;
  std::map<std::pair<unsigned, std::string>, PeerReport> reports_;
};

class Story {
 public:
  explicit Story(bool has_key)
      : witness_(has_key),
        heartbeater_({"host-a", "lab", kIncarnation, 50'000'000, 3, has_key ? HeartbeatKeys{kKey} : HeartbeatKeys{}},
                     witness_, [] { return 0.5; }) {
    heartbeater_.open(0, kMacs[0], 0);
    heartbeater_.open(1, kMacs[1], 0);
  }

  void go_on(What what, unsigned slot, int64_t wait_ns, const std::vector<uint8_t>& bytes) {
    now_ns_ += wait_ns;
    switch (what) {
      case What::kFrame:
      case What::kSignedFrame:
        heartbeater_.on_frame({bytes.data(), bytes.size(), PacketType::kMulticast, false, 0}, slot, now_ns_);
        break;
      case What::kAdvertise:
        heartbeater_.advertise(slot, advertisement(bytes), now_ns_);
        break;
      case What::kMessage:
        heartbeater_.send_message(slot, bytes.data(), bytes.size(), now_ns_);
        break;
      case What::kPause:
        heartbeater_.paused(wait_ns);
        break;
      case What::kShut:
        heartbeater_.shut(slot, now_ns_);
        break;
      case What::kOpen:
        heartbeater_.open(slot, kMacs[slot], now_ns_);
        break;
      case What::kExpire:
        heartbeater_.expire(now_ns_);
        break;
      default:
        heartbeater_.renew(now_ns_);
    }
    heartbeater_.tick(now_ns_);
    ARPEGGIO_CHECK(heartbeater_.next_due_ns() > now_ns_);
    ARPEGGIO_CHECK(heartbeater_.peers(slot).size() <= PeerTable::kMaxPeers);
    ARPEGGIO_CHECK(!heartbeater_.has_two_way_peer(slot) || heartbeater_.had_two_way_peer(slot));
  }

 private:
  static Advertisement advertisement(const std::vector<uint8_t>& bytes) {
    Advertisement advertisement;
    if (bytes.size() < 2) return advertisement;
    advertisement.state = static_cast<wire::NodeState>(bytes[0] % 4);
    advertisement.claims_version = bytes[1];
    for (size_t at = 2; at + 9 <= bytes.size(); at += 9) {
      advertisement.held[wire::load64(bytes.data() + at)] = bytes[at + 8];
    }
    return advertisement;
  }

  Witness witness_;
  Heartbeater heartbeater_;
  int64_t now_ns_ = 0;
};

void sign(FrameAuthenticator& authenticator, std::vector<uint8_t>& frame) {
  wire::HeartbeatFrame parsed;
  wire::HeartbeatMac mac;
  if (wire::parse_heartbeat(frame.data(), frame.size(), parsed) != wire::HeartbeatSyntax::kValid) return;
  if (parsed.mac == nullptr) return;
  authenticator.sign(frame.data() + wire::kAuthenticatedFrom, parsed.authenticated_size, mac);
  std::memcpy(frame.data() + (parsed.mac - frame.data()), mac.data(), mac.size());
}

// Calls `visit(what, slot, wait, bytes, size)` for each record.
template <typename Visit>
void read_records(uint8_t* data, size_t size, Visit visit) {
  for (size_t at = 0; at + kRecordSize <= size;) {
    const size_t wanted = wire::load16(data + at + 2);
    const size_t left = size - at - kRecordSize;
    const size_t length = wanted < left ? wanted : left;
    visit(data[at], data[at + 1], data + at + kRecordSize, length);
    at += kRecordSize + length;
  }
}

// Makes the fixed fields right, so that what is changed lies deeper.
void repair(uint8_t* frame, size_t size, unsigned seed) {
  constexpr size_t kFixed = wire::kEthernetHeaderSize + wire::kHeartbeatHeaderSize;
  if (size < kFixed + 1) return;
  static const wire::ClusterId kCluster = cluster_id("lab");
  std::memcpy(frame, wire::kHeartbeatGroup.data(), 6);
  frame[6] = 2;
  wire::store16(frame + 12, wire::kEtherTypeHeartbeat);
  std::memcpy(frame + 14, "ARPG\1", 5);
  frame[20] = (seed & 1) != 0 ? wire::kHeartbeatKind : wire::kMessageKind;
  wire::store16(frame + 22, static_cast<uint16_t>(size - wire::kEthernetHeaderSize));
  if ((seed & 6) != 0) wire::store16(frame + 24, static_cast<uint16_t>(wire::kHeartbeatHeaderSize + frame[56]));
  std::memcpy(frame + 26, kCluster.data(), kCluster.size());
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if ((seed & 1) != 0) {
    read_records(data, mutated, [seed](uint8_t what, uint8_t, uint8_t* bytes, size_t length) {
      if (what_of(what) <= What::kSignedFrame) repair(bytes, length, seed >> 1);
    });
  }
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static FrameAuthenticator authenticator(HeartbeatKeys{kKey});
  std::vector<uint8_t> input(data, data + size);
  Story open(false);
  Story keyed(true);
  read_records(input.data(), input.size(), [&](uint8_t what, uint8_t wait, const uint8_t* bytes, size_t length) {
    // An exact copy: a read past the end is found.
    std::vector<uint8_t> exact(bytes, bytes + length);
    exact.shrink_to_fit();
    if (what_of(what) == What::kSignedFrame) sign(authenticator, exact);
    if (what_of(what) <= What::kSignedFrame) check_codec(exact);
    const int64_t wait_ns = int64_t{wait} * wait * 10'000;
    open.go_on(what_of(what), what & 1, wait_ns, exact);
    keyed.go_on(what_of(what), what & 1, wait_ns, exact);
  });
  return 0;
}
