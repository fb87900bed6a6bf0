#include "wire/heartbeat.h"

namespace arpeggio::wire {

namespace {

constexpr uint8_t kMagic[4] = {'A', 'R', 'P', 'G'};

// Offsets from the magic.
constexpr size_t kMajorAt = 4;
constexpr size_t kMinorAt = 5;
constexpr size_t kKindAt = 6;
constexpr size_t kFlagsAt = 7;
constexpr size_t kFrameLengthAt = 8;
constexpr size_t kHeaderLengthAt = 10;
constexpr size_t kClusterAt = 12;
constexpr size_t kIncarnationAt = 20;
constexpr size_t kSequenceAt = 28;
constexpr size_t kIntervalAt = 36;
constexpr size_t kMultiplierAt = 40;
constexpr size_t kStateAt = 41;
constexpr size_t kNameLengthAt = 42;
constexpr size_t kNameAt = 43;
static_assert(kNameAt == kHeartbeatHeaderSize);

bool parse_heartbeat_body(const uint8_t* body, size_t size, HeartbeatBody& parsed) {
  if (size < kHeartbeatBodySize) return false;
  parsed.claims_version = load32(body);
  parsed.claims_digest = load32(body + 4);
  parsed.peer_count = load16(body + 8);
  parsed.slice = body[10];
  parsed.slices = body[11];
  parsed.entries = {body + kHeartbeatBodySize, body[12]};
  // What a later minor appends stands behind the entries.
  return parsed.slice < parsed.slices && size - kHeartbeatBodySize >= parsed.entries.count * kHeardEntrySize;
}

uint8_t* store_header(uint8_t* frame, const Mac& source, const HeartbeatHeader& header, size_t body_size,
                      bool with_mac) {
  store_ethernet_header(frame, kHeartbeatGroup.data(), source.data(), kEtherTypeHeartbeat);
  uint8_t* start = frame + kEthernetHeaderSize;
  const size_t header_size = kHeartbeatHeaderSize + header.name.size();
  const size_t frame_size = header_size + body_size + (with_mac ? kHeartbeatMacSize : 0);
  std::memcpy(start, kMagic, sizeof kMagic);
  start[kMajorAt] = kHeartbeatMajor;
  start[kMinorAt] = header.minor;
  start[kKindAt] = header.kind;
  start[kFlagsAt] = with_mac ? kHasMacFlag : 0;
  store16(start + kFrameLengthAt, static_cast<uint16_t>(frame_size));
  store16(start + kHeaderLengthAt, static_cast<uint16_t>(header_size));
  std::memcpy(start + kClusterAt, header.cluster.data(), header.cluster.size());
  store64(start + kIncarnationAt, header.incarnation);
  store64(start + kSequenceAt, header.sequence);
  store32(start + kIntervalAt, header.interval_us);
  start[kMultiplierAt] = header.multiplier;
  start[kStateAt] = static_cast<uint8_t>(header.state);
  start[kNameLengthAt] = static_cast<uint8_t>(header.name.size());
  std::memcpy(start + kNameAt, header.name.data(), header.name.size());
  return start + header_size;
}

}  // namespace

HeartbeatSyntax parse_heartbeat(const uint8_t* frame, size_t size, HeartbeatFrame& parsed) {
  if (size < kEthernetHeaderSize + kMajorAt + 1) return HeartbeatSyntax::kMalformed;
  if (load16(frame + 12) != kEtherTypeHeartbeat) return HeartbeatSyntax::kMalformed;
  if (!equal_mac(frame, kHeartbeatGroup.data()) || !is_unicast_mac(frame + 6)) return HeartbeatSyntax::kMalformed;
  const uint8_t* start = frame + kEthernetHeaderSize;
  const size_t available = size - kEthernetHeaderSize;
  if (std::memcmp(start, kMagic, sizeof kMagic) != 0) return HeartbeatSyntax::kMalformed;
  // Another major may have moved everything that follows.
  if (start[kMajorAt] != kHeartbeatMajor) return HeartbeatSyntax::kOtherMajor;
  if (available < kHeartbeatHeaderSize) return HeartbeatSyntax::kMalformed;

  const size_t frame_size = load16(start + kFrameLengthAt);
  const size_t header_size = load16(start + kHeaderLengthAt);
  const size_t name_size = start[kNameLengthAt];
  const bool has_mac = (start[kFlagsAt] & kHasMacFlag) != 0;
  const size_t mac_size = has_mac ? kHeartbeatMacSize : 0;
  if (frame_size > available || name_size < 1 || name_size > kMaxNodeNameSize) return HeartbeatSyntax::kMalformed;
  if (header_size < kHeartbeatHeaderSize + name_size || header_size + mac_size > frame_size) {
    return HeartbeatSyntax::kMalformed;
  }
  if (start[kStateAt] > static_cast<uint8_t>(NodeState::kLeaving)) return HeartbeatSyntax::kMalformed;

  HeartbeatHeader& header = parsed.header;
  header.minor = start[kMinorAt];
  header.kind = start[kKindAt];
  std::memcpy(header.cluster.data(), start + kClusterAt, header.cluster.size());
  header.incarnation = load64(start + kIncarnationAt);
  header.sequence = load64(start + kSequenceAt);
  header.interval_us = load32(start + kIntervalAt);
  header.multiplier = start[kMultiplierAt];
  header.state = static_cast<NodeState>(start[kStateAt]);
  header.name = {reinterpret_cast<const char*>(start + kNameAt), name_size};
  if (header.incarnation == 0 || header.sequence == 0 || header.interval_us == 0 || header.multiplier == 0) {
    return HeartbeatSyntax::kMalformed;
  }

  parsed.body = start + header_size;
  parsed.body_size = frame_size - header_size - mac_size;
  parsed.mac = has_mac ? start + frame_size - kHeartbeatMacSize : nullptr;
  parsed.authenticated_size = kEthernetHeaderSize - kAuthenticatedFrom + frame_size - mac_size;
  switch (header.kind) {
    case kHeartbeatKind:
      return parse_heartbeat_body(parsed.body, parsed.body_size, parsed.heartbeat) ? HeartbeatSyntax::kValid
                                                                                  : HeartbeatSyntax::kMalformed;
    case kMessageKind:
      return parsed.body_size <= kMaxMessageSize ? HeartbeatSyntax::kValid : HeartbeatSyntax::kMalformed;
    default:
      return HeartbeatSyntax::kUnknownKind;
  }
}

size_t store_heartbeat(uint8_t* frame, const Mac& source, const HeartbeatHeader& header, const HeartbeatBody& body,
                       const HeardEntry* entries, bool with_mac) {
  const size_t body_size = kHeartbeatBodySize + body.entries.count * kHeardEntrySize;
  uint8_t* at = store_header(frame, source, header, body_size, with_mac);
  store32(at, body.claims_version);
  store32(at + 4, body.claims_digest);
  store16(at + 8, body.peer_count);
  at[10] = body.slice;
  at[11] = body.slices;
  at[12] = static_cast<uint8_t>(body.entries.count);
  at += kHeartbeatBodySize;
  for (size_t index = 0; index < body.entries.count; ++index, at += kHeardEntrySize) {
    store64(at, entries[index].incarnation);
    store32(at + 8, entries[index].sequence);
    store32(at + 12, entries[index].held_version);
  }
  return static_cast<size_t>(at - frame);
}

size_t store_message(uint8_t* frame, const Mac& source, const HeartbeatHeader& header, const uint8_t* message,
                     size_t size, bool with_mac) {
  uint8_t* at = store_header(frame, source, header, size, with_mac);
  if (size != 0) std::memcpy(at, message, size);
  return static_cast<size_t>(at + size - frame);
}

size_t pad_frame(uint8_t* frame, size_t size) {
  if (size >= kEthernetMinimumSize) return size;
  std::memset(frame + size, 0, kEthernetMinimumSize - size);
  return kEthernetMinimumSize;
}

}  // namespace arpeggio::wire
