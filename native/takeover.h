// Armed takeovers: the control plane says beforehand who is answered when a peer is lost, and the packet thread does it
// without asking. Pure: it changes the answer masks of the current table, and sends nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "publication.h"

namespace arpeggio {

class Takeover {
 public:
  struct Taken {
    uint64_t number = 0;  // counts up from 1; 0: nothing was taken
    std::vector<wire::IpAddress> addresses{};
  };

  // The plans of `publication` replace the former. What was taken after `took_seen` is answered in its table too, where
  // it is still selected: the table was made before its maker heard of it. `renamed`: slots that are other interfaces
  // now; what was taken there is forgotten.
  void publish(Publication publication, SlotMask renamed);

  // Carries out, and drops, what is planned for the loss of a peer: from here on the addresses are answered on the slot.
  // The cost is that of the plan's addresses, beside a walk over the plans.
  Taken fire(unsigned slot, uint64_t incarnation);

 private:
  struct Record {
    uint64_t number;
    unsigned slot;
    std::vector<wire::IpAddress> addresses;
  };

  std::shared_ptr<IpTable> table_;
  std::vector<TakeoverPlan> plans_;
  std::vector<Record> unseen_;  // by number
  uint64_t last_number_ = 0;
};

}  // namespace arpeggio
