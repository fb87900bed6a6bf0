// What is answered at present: the table, whether it still lives, and where it is held back. The packet thread's own.
#pragma once

#include <memory>

#include "holds.h"
#include "ip_table.h"

namespace arpeggio {

struct Answering {
  std::shared_ptr<const IpTable> table = std::make_shared<const IpTable>();
  bool expired = true;
  Holds holds{};

  bool answers(const IpTableEntry& entry, unsigned slot) const {
    return (entry.answer & slot_bit(slot)) != 0 && !expired && !holds.holds(slot);
  }
  // A probe asks whether somebody else answers: it may go out where we do not.
  bool probes(const IpTableEntry& entry, unsigned slot) const {
    return (entry.selected & slot_bit(slot)) != 0 && !expired;
  }
};

}  // namespace arpeggio
