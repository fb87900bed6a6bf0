#include "ip_table.h"

#include <algorithm>
#include <utility>

namespace arpeggio {

namespace {

std::vector<SolicitedNodeGroup> collect_groups(const std::vector<IpTableEntry>& entries) {
  std::vector<SolicitedNodeGroup> groups;
  for (const IpTableEntry& entry : entries) {
    if (entry.address.is_ipv4() || entry.selected == 0) continue;
    const uint8_t* bytes = entry.address.ipv6();
    groups.push_back({static_cast<uint32_t>(bytes[13] << 16 | bytes[14] << 8 | bytes[15]), entry.selected});
  }
  std::sort(groups.begin(), groups.end(),
            [](const SolicitedNodeGroup& a, const SolicitedNodeGroup& b) { return a.low24 < b.low24; });
  size_t kept = 0;
  for (const SolicitedNodeGroup& group : groups) {
    if (kept > 0 && groups[kept - 1].low24 == group.low24) {
      groups[kept - 1].slots |= group.slots;
    } else {
      groups[kept++] = group;
    }
  }
  groups.resize(kept);
  return groups;
}

}  // namespace

IpTable::IpTable(std::vector<std::string> interface_names, std::vector<IpTableEntry> entries)
    : interface_names_(std::move(interface_names)), entries_(std::move(entries)), groups_(collect_groups(entries_)) {
  size_t bucket_count = 4;
  while (bucket_count < entries_.size() * 2) bucket_count *= 2;
  buckets_.assign(bucket_count, Bucket{0, 0});
  bucket_mask_ = bucket_count - 1;
  for (size_t index = 0; index < entries_.size(); ++index) {
    const uint64_t hash = hash_of(entries_[index].address);
    const uint32_t tag = static_cast<uint32_t>(hash >> 32);
    size_t at = hash & bucket_mask_;
    while (buckets_[at].index_plus_one != 0 &&
           !(buckets_[at].tag == tag && entries_[buckets_[at].index_plus_one - 1].address == entries_[index].address)) {
      at = (at + 1) & bucket_mask_;
    }
    buckets_[at] = {tag, static_cast<uint32_t>(index + 1)};
  }
}

}  // namespace arpeggio
