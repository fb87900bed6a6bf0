#include "takeover.h"

#include <algorithm>
#include <utility>

namespace arpeggio {

void Takeover::publish(Publication publication, SlotMask renamed) {
  table_ = std::move(publication.table);
  plans_ = std::move(publication.plans);
  unseen_.erase(std::remove_if(unseen_.begin(), unseen_.end(),
                               [&](const Record& record) {
                                 return record.number <= publication.took_seen ||
                                        (renamed & slot_bit(record.slot)) != 0;
                               }),
                unseen_.end());
  for (const Record& record : unseen_) {
    for (const wire::IpAddress& address : record.addresses) table_->answer_also(address, record.slot);
  }
}

Takeover::Taken Takeover::fire(unsigned slot, uint64_t incarnation) {
  const auto plan = std::find_if(plans_.begin(), plans_.end(), [&](const TakeoverPlan& candidate) {
    return candidate.slot == slot && candidate.incarnation == incarnation;
  });
  if (plan == plans_.end()) return {};
  Taken taken;
  taken.addresses.reserve(plan->entries.size());
  for (const uint32_t entry : plan->entries) {
    if (entry >= table_->entries().size()) continue;
    const wire::IpAddress& address = table_->entries()[entry].address;
    if (table_->answer_also(address, slot)) taken.addresses.push_back(address);
  }
  *plan = std::move(plans_.back());
  plans_.pop_back();
  if (taken.addresses.empty()) return taken;
  taken.number = ++last_number_;
  unseen_.push_back({taken.number, slot, taken.addresses});
  return taken;
}

}  // namespace arpeggio
