#include "client_journal.h"

#include <algorithm>
#include <random>

namespace arpeggio {

namespace {

// Closer than this nobody cares who was heard last, and most requests find the pair as it is.
constexpr int64_t kPrecisionNs = 1'000'000'000;

uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 32)) * 0xc4ceb9fe1a85ec53u;
  return value ^ (value >> 29);
}

uint64_t random_seed() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

}  // namespace

ClientJournal::ClientJournal()
    : seed_(random_seed()), pair_buckets_(kBuckets, Index{kNone}), group_buckets_(kBuckets, Index{kNone}) {
  // Address space alone: memory comes with the first use of each page.
  pairs_.reserve(kMaxPairs);
  groups_.reserve(kMaxPairs);
}

uint64_t ClientJournal::hash_of(const wire::IpAddress& service, unsigned slot) const {
  return mixed(mixed(service.half(0) ^ seed_) ^ service.half(1) ^ (uint64_t{slot} << 56));
}

ClientJournal::Index& ClientJournal::pair_bucket(const wire::IpAddress& service, unsigned slot,
                                                 const wire::IpAddress& client) {
  return pair_buckets_[mixed(mixed(hash_of(service, slot) + client.half(0)) ^ client.half(1)) % kBuckets];
}

ClientJournal::Index& ClientJournal::group_bucket(const wire::IpAddress& service, unsigned slot) {
  return group_buckets_[hash_of(service, slot) % kBuckets];
}

ClientJournal::Index ClientJournal::find_group(const wire::IpAddress& service, unsigned slot) const {
  Index index = group_buckets_[hash_of(service, slot) % kBuckets];
  while (index != kNone && (groups_[index].slot != slot || groups_[index].service != service)) {
    index = groups_[index].next_in_bucket;
  }
  return index;
}

void ClientJournal::link(List& list, Links Pair::*links, Index index) {
  pairs_[index].*links = {list.newest, kNone};
  if (list.newest != kNone) (pairs_[list.newest].*links).newer = index;
  list.newest = index;
  if (list.oldest == kNone) list.oldest = index;
}

void ClientJournal::unlink(List& list, Links Pair::*links, Index index) {
  const Links own = pairs_[index].*links;
  (own.newer == kNone ? list.newest : (pairs_[own.newer].*links).older) = own.older;
  (own.older == kNone ? list.oldest : (pairs_[own.older].*links).newer) = own.newer;
}

void ClientJournal::note(const wire::IpAddress& service, unsigned slot, const Client& client, int64_t now_ns) {
  Index* bucket = &pair_bucket(service, slot, client.address);
  for (Index index = *bucket; index != kNone; index = pairs_[index].next_in_bucket) {
    Pair& pair = pairs_[index];
    if (pair.client.address != client.address || pair.service != service || pair.slot != slot) continue;
    pair.client.mac = client.mac;
    if (now_ns - pair.heard_ns < kPrecisionNs) return;
    pair.heard_ns = now_ns;
    unlink(overall_, &Pair::overall, index);
    link(overall_, &Pair::overall, index);
    List& in_group = groups_[pair.group].pairs;
    unlink(in_group, &Pair::in_group, index);
    link(in_group, &Pair::in_group, index);
    return;
  }
  const Index known = find_group(service, slot);
  if (known != kNone && groups_[known].count == kMaxPairsPerAddress) {
    remove(groups_[known].pairs.oldest);
  } else if (size() == kMaxPairs) {
    remove(overall_.oldest);
  }
  // Looked up after the removal, which may have emptied and freed it.
  const Index group = make_group(service, slot);
  Index index;
  if (free_pairs_.empty()) {
    index = static_cast<Index>(pairs_.size());
    pairs_.emplace_back();
  } else {
    index = free_pairs_.back();
    free_pairs_.pop_back();
  }
  pairs_[index] = {service, client, static_cast<uint8_t>(slot), now_ns, group, *bucket, {}, {}};
  *bucket = index;
  ++groups_[group].count;
  link(overall_, &Pair::overall, index);
  link(groups_[group].pairs, &Pair::in_group, index);
}

ClientJournal::Index ClientJournal::make_group(const wire::IpAddress& service, unsigned slot) {
  Index index = find_group(service, slot);
  if (index != kNone) return index;
  if (free_groups_.empty()) {
    index = static_cast<Index>(groups_.size());
    groups_.emplace_back();
  } else {
    index = free_groups_.back();
    free_groups_.pop_back();
  }
  Index& bucket = group_bucket(service, slot);
  groups_[index] = {service, static_cast<uint8_t>(slot), 0, bucket, {}};
  bucket = index;
  return index;
}

void ClientJournal::remove(Index index) {
  const Pair pair = pairs_[index];
  Index* pointer = &pair_bucket(pair.service, pair.slot, pair.client.address);
  while (*pointer != index) pointer = &pairs_[*pointer].next_in_bucket;
  *pointer = pair.next_in_bucket;
  unlink(overall_, &Pair::overall, index);
  Group& group = groups_[pair.group];
  unlink(group.pairs, &Pair::in_group, index);
  free_pairs_.push_back(index);
  if (--group.count > 0) return;
  pointer = &group_bucket(pair.service, pair.slot);
  while (*pointer != pair.group) pointer = &groups_[*pointer].next_in_bucket;
  *pointer = group.next_in_bucket;
  free_groups_.push_back(pair.group);
}

std::vector<ClientJournal::Entry> ClientJournal::clients_of(const std::vector<wire::IpAddress>& services, unsigned slot,
                                                            int64_t now_ns) const {
  std::vector<Entry> found;
  if (size() == 0) return found;
  for (size_t at = 0; at < services.size(); ++at) {
    const Index group = find_group(services[at], slot);
    if (group == kNone) continue;
    for (Index index = groups_[group].pairs.newest; index != kNone; index = pairs_[index].in_group.older) {
      const Pair& pair = pairs_[index];
      if (now_ns - pair.heard_ns > kMaxAgeNs) break;
      found.push_back({static_cast<uint32_t>(at), pair.client, pair.heard_ns});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Entry& a, const Entry& b) { return a.heard_ns > b.heard_ns; });
  return found;
}

void ClientJournal::forget(SlotMask slots) {
  for (Index index = overall_.oldest; index != kNone;) {
    const Index newer = pairs_[index].overall.newer;
    if ((slots & slot_bit(pairs_[index].slot)) != 0) remove(index);
    index = newer;
  }
}

}  // namespace arpeggio
