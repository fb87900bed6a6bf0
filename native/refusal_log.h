// Keeps reports of refused frames rare whatever arrives: one per source and reason and minute, from a bounded number of
// sources. Costs the same for every frame, because a flood of them may come.
#pragma once

#include <array>
#include <cstdint>

#include "drop_reason.h"
#include "wire/ethernet.h"

namespace arpeggio {

class RefusalLog {
 public:
  static constexpr int64_t kReportIntervalNs = 60'000'000'000;

  // Counts a refused frame. How many to report now, since the last report of this source and reason; 0: none.
  uint32_t add(const uint8_t* source, DropReason reason, int64_t now_ns);

 private:
  struct Entry {
    bool used = false;
    wire::Mac source{};
    DropReason reason{};
    uint32_t count = 0;
    int64_t reported_ns = 0;
  };
  // 256 in all. A source shares its few places with others; where they are all taken within the minute, it is not told.
  static constexpr size_t kSets = 64;
  static constexpr size_t kWays = 4;

  std::array<std::array<Entry, kWays>, kSets> sets_;
};

}  // namespace arpeggio
