// What the control plane hands over at once: the table, and what holds beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ip_table.h"

namespace arpeggio {

// What shall be answered and announced on a slot as soon as a peer is down there.
struct TakeoverPlan {
  unsigned slot;
  uint64_t incarnation;           // the peer's
  std::vector<uint32_t> entries;  // positions in the table's entries; those not selected on the slot do not count
};

struct Publication {
  std::shared_ptr<IpTable> table;
  std::vector<TakeoverPlan> plans{};
  uint64_t took_seen = 0;  // takeovers up to this number are part of the table
  std::vector<uint64_t> holds_lifted{};  // by slot: its holds up to this number are over
};

}  // namespace arpeggio
