// Compares every reply with the one that is right, byte by byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "frames.h"

namespace bench {

class Checker {
 public:
  Checker(Family family, const Mac& generator, const Mac& responder, uint32_t addresses)
      : family_(family), generator_(generator), outstanding_(addresses, 0) {
    for (uint32_t index = 0; index < addresses; index += 1)
      expected_.push_back(expected_reply(family, generator, responder, index));
  }

  void sent(uint32_t index) { outstanding_[index] += 1; }
  void not_sent(uint32_t index) { outstanding_[index] -= 1; }

  // Returns the index of the address that was answered rightly, -1 for any other frame.
  int64_t received(const uint8_t* frame, size_t length) {
    uint32_t index = 0;
    const Kind kind = classify(family_, generator_, frame, length, &index);
    if (kind != Kind::kReply) {
      others += 1;
      return -1;
    }
    if (index >= expected_.size() || !right(expected_[index], frame, length) || outstanding_[index] == 0) {
      wrong += 1;
      return -1;
    }
    outstanding_[index] -= 1;
    replies += 1;
    return index;
  }

  uint64_t replies = 0;  // right in every byte, and asked for
  uint64_t wrong = 0;    // wrong in some byte, unasked for, or for an address that is not in the table
  uint64_t others = 0;   // announcements and what the kernel sends by itself

 private:
  static bool right(const Frame& expected, const uint8_t* frame, size_t length) {
    if (length < expected.length || std::memcmp(frame, expected.bytes.data(), expected.length) != 0) return false;
    for (size_t at = expected.length; at < length; at += 1)
      if (frame[at] != 0) return false;  // padding
    return true;
  }

  Family family_;
  Mac generator_;
  std::vector<Frame> expected_;
  std::vector<uint32_t> outstanding_;
};

}  // namespace bench
