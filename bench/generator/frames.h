// The frames of the bench: requests as a client sends them, and the one reply that is right for each. Includes nothing
// of the responder, so that a mistake there cannot hide in a shared helper.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

using Mac = std::array<uint8_t, 6>;

enum class Family { kArp, kNdp };

struct Frame {
  uint16_t length = 0;
  std::array<uint8_t, 96> bytes{};
};

// Service IPs are 10.77.1.0 + index and fd77::a:0 + index. Foreign addresses lie beside them and belong to nobody.
// The client's address is a function of the index, so that one expected reply belongs to each request.
inline constexpr uint32_t kServiceBase4 = 0x0a4d0100;
inline constexpr uint32_t kForeignBase4 = 0x0a4d8000;
inline constexpr uint32_t kForeignCount = 16384;
inline constexpr uint32_t kServiceBase6 = 0x000a0000;
inline constexpr uint32_t kForeignBase6 = 0x000b0000;

Frame request(Family family, const Mac& generator, uint32_t index);
Frame foreign_request(Family family, const Mac& generator, uint32_t index);
// What the request's sender must receive: 42 bytes of ARP, or a Neighbor Advertisement of 86 bytes with TLLAO.
Frame expected_reply(Family family, const Mac& generator, const Mac& responder, uint32_t index);

enum class Kind {
  kReply,         // an answer to one of our requests, right or wrong
  kAnnouncement,  // a gratuitous ARP frame, or an NA to all nodes
  kOther,
};
// Sorts a received frame; `index` is the service IP it is about, where that is one.
Kind classify(Family family, const Mac& generator, const uint8_t* frame, size_t length, uint32_t* index);

}  // namespace bench
