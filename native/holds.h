// Interfaces on which nothing is answered for now: others may have taken over while we could not hear them.
#pragma once

#include <cstdint>

#include "ip_table.h"

namespace arpeggio {

class Holds {
 public:
  // Returns the hold's number, counting up from 1; it replaces a former hold of the slot.
  uint64_t hold(unsigned slot) {
    held_ |= slot_bit(slot);
    return numbers_[slot] = ++last_number_;
  }

  // Ends the holds up to `number`; returns the slots that they were of.
  SlotMask lift(uint64_t number) {
    SlotMask lifted = 0;
    for (unsigned slot = 0; slot < kMaxSlots; ++slot) {
      if (holds(slot) && numbers_[slot] <= number) lifted |= slot_bit(slot);
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
