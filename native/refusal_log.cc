#include "refusal_log.h"

#include <utility>

namespace arpeggio {

uint32_t RefusalLog::add(const uint8_t* source, DropReason reason, int64_t now_ns) {
  const uint64_t key = static_cast<uint64_t>(wire::load16(source)) << 32 | wire::load32(source + 2);
  const uint64_t hash = (key + static_cast<uint64_t>(reason)) * 0x9e3779b97f4a7c15u;
  Entry* free = nullptr;
  for (Entry& entry : sets_[hash >> 58]) {
    if (entry.used && entry.reason == reason && wire::equal_mac(entry.source.data(), source)) {
      ++entry.count;
      if (now_ns - entry.reported_ns < kReportIntervalNs) return 0;
      entry.reported_ns = now_ns;
      return std::exchange(entry.count, 0);
    }
    if (free == nullptr && (!entry.used || now_ns - entry.reported_ns >= kReportIntervalNs)) free = &entry;
  }
  if (free == nullptr) return 0;
  *free = {true, wire::load_mac(source), reason, 0, now_ns};
  return 1;
}

}  // namespace arpeggio
