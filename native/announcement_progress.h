// How far the first announcement of a list of addresses has come: who shall hear from an address only after it has been
// announced waits for it.
#pragma once

#include <cstdint>
#include <memory>

namespace arpeggio {

// Of each family: how many addresses have been announced. Held by the announcer while it has some to announce; null where
// nothing is waited for.
struct AnnouncementProgress {
  std::shared_ptr<const uint32_t> ipv4;
  std::shared_ptr<const uint32_t> ipv6;

  // Also once the announcer has dropped the rest: nobody may wait for ever.
  static bool has_passed(const std::shared_ptr<const uint32_t>& announced, uint32_t position) {
    return announced == nullptr || *announced > position || announced.use_count() == 1;
  }
};

}  // namespace arpeggio
