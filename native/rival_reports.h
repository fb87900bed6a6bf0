// Which rivals are news. The same rival on the same address is, again, after a while.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "clock.h"
#include "reply.h"

namespace arpeggio {

class RivalReports {
 public:
  bool is_news(const Verdict& verdict, unsigned slot) {
    const int64_t now_ns = monotonic_ns();
    const uint64_t key = static_cast<uint64_t>(verdict.entry->counter_slot) << 16 |
                         static_cast<uint64_t>(slot) << 8 | static_cast<uint64_t>(verdict.rival.kind);
    if (reported_ns_.size() >= kCapacity) reported_ns_.clear();
    int64_t& reported_ns = reported_ns_[key];
    if (reported_ns != 0 && now_ns - reported_ns < kIntervalNs) return false;
    reported_ns = now_ns;
    return true;
  }

 private:
  static constexpr int64_t kIntervalNs = 200 * kNanosecondsPerMillisecond;
  static constexpr size_t kCapacity = 65536;

  std::unordered_map<uint64_t, int64_t> reported_ns_;
};

}  // namespace arpeggio
