#include "follower.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "wire/arp.h"

namespace arpeggio {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kRoundOffsetsNs[] = {0, 50 * kMillisecondNs, 200 * kMillisecondNs, 1000 * kMillisecondNs};
constexpr size_t kRounds = sizeof(kRoundOffsetsNs) / sizeof(kRoundOffsetsNs[0]);
constexpr int64_t kFirstReportNs = 100 * kMillisecondNs;
constexpr int64_t kEndNs = 1500 * kMillisecondNs;

uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 32)) * 0xc4ceb9fe1a85ec53u;
  return value ^ (value >> 29);
}

}  // namespace

// Where the sending of one family's targets stands.
struct Follower::Round {
  std::vector<Index> targets{};
  std::shared_ptr<const uint32_t> announced{};
  size_t round = 0;
  size_t position = 0;

  bool is_over() const { return round == kRounds || targets.empty(); }
};

struct Follower::Cause {
  FollowCause cause;
  uint64_t number;
  unsigned slot;
  int64_t started_ns;
  uint32_t clients;
  uint32_t confirmed = 0;
  bool first_reported = false;
  Round rounds[2]{};  // IPv4, IPv6

  int64_t report_due_ns() const { return started_ns + (first_reported ? kEndNs : kFirstReportNs); }
};

Follower::Plan Follower::plan(const std::vector<wire::IpAddress>& addresses, unsigned slot, const ClientJournal& journal,
                              int64_t now_ns) {
  constexpr uint32_t kUnplaced = UINT32_MAX;
  std::vector<uint32_t> positions(addresses.size(), kUnplaced);
  uint32_t placed[2] = {0, 0};
  Plan plan;
  plan.addresses.reserve(addresses.size());
  for (const ClientJournal::Entry& entry : journal.clients_of(addresses, slot, now_ns)) {
    const wire::IpAddress& service = addresses[entry.address_index];
    uint32_t& position = positions[entry.address_index];
    if (position == kUnplaced) {
      position = placed[service.is_ipv4() ? 0 : 1]++;
      plan.addresses.push_back(service);
    }
    plan.targets.push_back({service, entry.client, position});
  }
  for (size_t at = 0; at < addresses.size(); ++at) {
    if (positions[at] == kUnplaced) plan.addresses.push_back(addresses[at]);
  }
  return plan;
}

Follower::Follower() : seed_(std::random_device{}()), buckets_(kBuckets, Index{kNone}) {}

Follower::~Follower() = default;

Follower::Index& Follower::bucket_of(const wire::IpAddress& service, unsigned slot, const wire::IpAddress& client) {
  uint64_t hash = mixed(service.half(0) ^ seed_) ^ service.half(1);
  hash = mixed(hash ^ (uint64_t{slot} << 56)) + client.half(0);
  return buckets_[mixed(mixed(hash) ^ client.half(1)) % kBuckets];
}

void Follower::follow(FollowCause cause, uint64_t number, unsigned slot, const std::vector<Plan::Target>& targets,
                      AnnouncementProgress progress, int64_t now_ns) {
  auto made = std::make_unique<Cause>(Cause{cause, number, slot, now_ns, 0});
  made->rounds[0].announced = std::move(progress.ipv4);
  made->rounds[1].announced = std::move(progress.ipv6);
  for (const Plan::Target& asked : targets) {
    if (targets_.size() - free_targets_.size() == kMaxTargets) break;
    Index index;
    if (free_targets_.empty()) {
      index = static_cast<Index>(targets_.size());
      targets_.emplace_back();
    } else {
      index = free_targets_.back();
      free_targets_.pop_back();
    }
    Index& bucket = bucket_of(asked.service, slot, asked.client.address);
    targets_[index] = {asked, slot, made.get(), false, bucket};
    bucket = index;
    made->rounds[asked.service.is_ipv4() ? 0 : 1].targets.push_back(index);
    ++made->clients;
  }
  if (made->clients == 0) {
    report(*made, true);
  } else {
    causes_.push_back(std::move(made));
  }
}

void Follower::confirm(const wire::IpAddress& service, unsigned slot, const wire::IpAddress& client) {
  for (Index index = bucket_of(service, slot, client); index != kNone; index = targets_[index].next_in_bucket) {
    Target& target = targets_[index];
    if (target.confirmed || target.asked.client.address != client || target.asked.service != service ||
        target.slot != slot) {
      continue;
    }
    target.confirmed = true;
    ++target.cause->confirmed;
  }
}

bool Follower::is_announced(const Round& round) const {
  const uint32_t position = targets_[round.targets[round.position]].asked.position;
  return AnnouncementProgress::has_passed(round.announced, position);
}

void Follower::run_round(Round& round, const Cause& cause, int64_t now_ns, size_t& budget, TransmitTarget& target) {
  while (!round.is_over() && cause.started_ns + kRoundOffsetsNs[round.round] <= now_ns) {
    for (; round.position < round.targets.size(); ++round.position) {
      const Target& next = targets_[round.targets[round.position]];
      if (next.confirmed) continue;
      if (budget == 0 || !is_announced(round)) return;
      send(next, target);
      budget -= std::min<size_t>(budget, next.asked.service.is_ipv4() ? 1 : 2);
    }
    round.position = 0;
    ++round.round;
  }
}

template <typename Predicate>
void Follower::end_if(Predicate matches) {
  for (auto cause = causes_.begin(); cause != causes_.end();) {
    if (!matches(**cause)) {
      ++cause;
      continue;
    }
    report(**cause, true);
    release(**cause);
    cause = causes_.erase(cause);
  }
}

bool Follower::run(int64_t now_ns, size_t budget, TransmitTarget& target) {
  for (const auto& cause : causes_) {
    for (Round& round : cause->rounds) run_round(round, *cause, now_ns, budget, target);
    if (!cause->first_reported && cause->report_due_ns() <= now_ns && cause->confirmed < cause->clients) {
      cause->first_reported = true;
      report(*cause, false);
    }
  }
  end_if([now_ns](const Cause& cause) {
    return cause.confirmed == cause.clients || now_ns >= cause.started_ns + kEndNs;
  });
  return next_due_ns() <= now_ns;
}

void Follower::send(const Target& target, TransmitTarget& transmit) {
  const auto& [service, client, position] = target.asked;
  wire::Mac mac;
  uint8_t* frame = transmit.begin_frame(target.slot, service, FrameForm::kDirected, mac);
  if (frame == nullptr) return;
  if (service.is_ipv4()) {
    transmit.end_frame(wire::store_directed_arp_request(frame, mac.data(), service.ipv4(), client.mac.data(),
                                                        client.address.ipv4()));
    return;
  }
  transmit.end_frame(wire::store_directed_advertisement(frame, mac.data(), service.ipv6(), client.mac.data(),
                                                        client.address.ipv6()));
  frame = transmit.begin_frame(target.slot, service, FrameForm::kDirected, mac);
  if (frame == nullptr) return;
  transmit.end_frame(wire::store_directed_solicitation(frame, mac.data(), service.ipv6(), client.mac.data(),
                                                       client.address.ipv6()));
}

void Follower::cancel(unsigned slot) {
  end_if([slot](const Cause& cause) { return cause.slot == slot; });
}

void Follower::report(const Cause& cause, bool final) {
  reports_.push_back({cause.cause, cause.number, cause.slot, cause.clients, cause.confirmed, final});
}

void Follower::release(const Cause& cause) {
  for (const Round& round : cause.rounds) {
    for (const Index index : round.targets) {
      const Plan::Target& asked = targets_[index].asked;
      Index* pointer = &bucket_of(asked.service, cause.slot, asked.client.address);
      while (*pointer != index) pointer = &targets_[*pointer].next_in_bucket;
      *pointer = targets_[index].next_in_bucket;
      free_targets_.push_back(index);
    }
  }
}

std::vector<FollowReport> Follower::take_reports() { return std::exchange(reports_, {}); }

int64_t Follower::due_ns(const Cause& cause) const {
  int64_t next_ns = cause.confirmed == cause.clients ? cause.started_ns : cause.report_due_ns();
  for (const Round& round : cause.rounds) {
    if (round.is_over() || (round.position < round.targets.size() && !is_announced(round))) continue;
    next_ns = std::min(next_ns, cause.started_ns + kRoundOffsetsNs[round.round]);
  }
  return next_ns;
}

int64_t Follower::next_due_ns() const {
  int64_t next_ns = kNever;
  for (const auto& cause : causes_) next_ns = std::min(next_ns, due_ns(*cause));
  return next_ns;
}

}  // namespace arpeggio
