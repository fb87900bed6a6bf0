#include "frames.h"

#include <cstring>

namespace bench {
namespace {

constexpr uint32_t kClientBase4 = 0x0a4dfb01;
constexpr uint32_t kClientBase6 = 0x000f0001;
constexpr uint32_t kClientCount = 16;
constexpr size_t kArpLength = 42;
constexpr size_t kPaddedLength = 60;
constexpr size_t kNdpLength = 86;  // 14 Ethernet, 40 IPv6, 24 NS or NA, 8 link-layer address option

void put16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put32(uint8_t* at, uint32_t value) {
  put16(at, static_cast<uint16_t>(value >> 16));
  put16(at + 2, static_cast<uint16_t>(value));
}
uint32_t get32(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}
// fd77::/96 with `low` in the last four bytes.
void put_address6(uint8_t* at, uint32_t low) {
  std::memset(at, 0, 16);
  at[0] = 0xfd;
  at[1] = 0x77;
  put32(at + 12, low);
}

void put_arp(Frame* frame, const Mac& destination, uint16_t operation, const Mac& sha, uint32_t spa, const Mac& tha,
             uint32_t tpa) {
  uint8_t* bytes = frame->bytes.data();
  std::memcpy(bytes, destination.data(), 6);
  std::memcpy(bytes + 6, sha.data(), 6);
  put16(bytes + 12, 0x0806);
  put16(bytes + 14, 1);
  put16(bytes + 16, 0x0800);
  bytes[18] = 6;
  bytes[19] = 4;
  put16(bytes + 20, operation);
  std::memcpy(bytes + 22, sha.data(), 6);
  put32(bytes + 28, spa);
  std::memcpy(bytes + 32, tha.data(), 6);
  put32(bytes + 38, tpa);
}

void put_checksum(uint8_t* frame) {
  const uint8_t* ip = frame + 14;
  const uint8_t* icmp = ip + 40;
  constexpr size_t kIcmpLength = 32;
  uint32_t sum = kIcmpLength + 58;
  for (size_t at = 8; at < 40; at += 2) sum += uint32_t{ip[at]} << 8 | ip[at + 1];
  for (size_t at = 0; at < kIcmpLength; at += 2) sum += uint32_t{icmp[at]} << 8 | icmp[at + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(frame + 56, static_cast<uint16_t>(~sum));
}

void put_ndp(Frame* frame, const Mac& destination, const Mac& source, uint8_t type, uint32_t flags, uint32_t target,
             uint8_t option) {
  uint8_t* bytes = frame->bytes.data();
  std::memcpy(bytes, destination.data(), 6);
  std::memcpy(bytes + 6, source.data(), 6);
  put16(bytes + 12, 0x86dd);
  bytes[14] = 0x60;
  put16(bytes + 18, 32);
  bytes[20] = 58;
  bytes[21] = 255;
  bytes[54] = type;
  put32(bytes + 58, flags);
  put_address6(bytes + 62, target);
  bytes[78] = option;
  bytes[79] = 1;
  std::memcpy(bytes + 80, source.data(), 6);
}

Frame solicit(const Mac& generator, uint32_t client, uint32_t target) {
  Frame frame;
  frame.length = kNdpLength;
  const Mac group = {0x33,
                     0x33,
                     0xff,
                     static_cast<uint8_t>(target >> 16),
                     static_cast<uint8_t>(target >> 8),
                     static_cast<uint8_t>(target)};
  put_ndp(&frame, group, generator, 135, 0, target, 1);
  put_address6(frame.bytes.data() + 22, kClientBase6 + client);
  uint8_t* destination = frame.bytes.data() + 38;  // ff02::1:ffXX:XXXX, RFC 4291 2.7.1
  destination[0] = 0xff;
  destination[1] = 0x02;
  destination[11] = 1;
  put32(destination + 12, 0xff000000 | (target & 0xffffff));
  put_checksum(frame.bytes.data());
  return frame;
}

Frame who_has(const Mac& generator, uint32_t client, uint32_t target) {
  Frame frame;
  frame.length = kPaddedLength;  // as it arrives from a wire: padded to the Ethernet minimum
  put_arp(&frame, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1, generator, kClientBase4 + client, {}, target);
  return frame;
}

}  // namespace

Frame request(Family family, const Mac& generator, uint32_t index) {
  const uint32_t client = index % kClientCount;
  return family == Family::kArp ? who_has(generator, client, kServiceBase4 + index)
                                : solicit(generator, client, kServiceBase6 + index);
}

Frame foreign_request(Family family, const Mac& generator, uint32_t index) {
  const uint32_t client = index % kClientCount;
  return family == Family::kArp ? who_has(generator, client, kForeignBase4 + index)
                                : solicit(generator, client, kForeignBase6 + index);
}

Frame expected_reply(Family family, const Mac& generator, const Mac& responder, uint32_t index) {
  const uint32_t client = index % kClientCount;
  Frame frame;
  if (family == Family::kArp) {
    frame.length = kArpLength;
    put_arp(&frame, generator, 2, responder, kServiceBase4 + index, generator, kClientBase4 + client);
    return frame;
  }
  frame.length = kNdpLength;
  put_ndp(&frame, generator, responder, 136, 0x60000000, kServiceBase6 + index, 2);
  put_address6(frame.bytes.data() + 22, kServiceBase6 + index);
  put_address6(frame.bytes.data() + 38, kClientBase6 + client);
  put_checksum(frame.bytes.data());
  return frame;
}

Kind classify(Family family, const Mac& generator, const uint8_t* frame, size_t length, uint32_t* index) {
  const bool to_us = length >= kArpLength && std::memcmp(frame, generator.data(), 6) == 0;
  if (family == Family::kArp) {
    if (length < kArpLength || frame[12] != 0x08 || frame[13] != 0x06) return Kind::kOther;
    *index = get32(frame + 28) - kServiceBase4;
    if (to_us && frame[21] == 2) return Kind::kReply;
    return std::memcmp(frame + 28, frame + 38, 4) == 0 ? Kind::kAnnouncement : Kind::kOther;
  }
  if (length < kNdpLength || frame[12] != 0x86 || frame[13] != 0xdd || frame[20] != 58 || frame[54] != 136)
    return Kind::kOther;
  *index = get32(frame + 74) - kServiceBase6;
  return to_us ? Kind::kReply : Kind::kAnnouncement;
}

}  // namespace bench
