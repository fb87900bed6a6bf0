// Interfaces on which nothing is answered for now: others may have taken over while we could not hear them.
#pragma once

#include <cstdint>
#include <vector>

#include "ip_table.h"

namespace arpeggio {

class Holds {
 public:
  // Returns the hold's number, counting up from 1; it replaces a former hold of the slot.
  uint64_t hold(unsigned slot) {
    held_ |= slot_bit(slot);
    return numbers_[slot] = ++last_number_;
  }

  // Ends the holds of each slot up to its number in `numbers`; returns the slots that are held no more.
  SlotMask lift(const std::vector<uint64_t>& numbers) {
    SlotMask lifted = 0;
    for (unsigned slot = 0; slot < kMaxSlots && slot < numbers.size(); ++slot) {
      if (holds(slot) && numbers_[slot] <= numbers[slot]) lifted |= slot_bit(slot);
    }
    held_ &= ~lifted;
    return lifted;
  }

  // These slots are other interfaces from now on.
  void forget(SlotMask slots) { held_ &= ~slots; }

  bool holds(unsigned slot) const { return (held_ & slot_bit(slot)) != 0; }

 private:
  SlotMask held_ = 0;
  uint64_t numbers_[kMaxSlots] = {};
  uint64_t last_number_ = 0;
};

}  // namespace arpeggio
