#include "announcer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "clock.h"
#include "wire/arp.h"

namespace arpeggio {

// Nonces must differ between hosts and runs (RFC 7527 4.1), not withstand guessing.
Announcer::Announcer() : random_(std::random_device{}()) {}

void Announcer::add(Transmission transmission) {
  if (transmission.addresses->empty()) return;
  auto& heap = (transmission.urgent ? urgent_ : refresh_).waiting;
  heap.push_back(std::move(transmission));
  std::push_heap(heap.begin(), heap.end(), Later{});
}

AnnouncementProgress Announcer::announce(std::vector<wire::IpAddress> addresses, unsigned slot,
                                         const AnnouncementSchedule& schedule, bool urgent, int64_t now_ns) {
  const auto middle = std::stable_partition(addresses.begin(), addresses.end(),
                                            [](const wire::IpAddress& address) { return address.is_ipv4(); });
  const auto ipv4 = std::make_shared<const std::vector<wire::IpAddress>>(addresses.begin(), middle);
  const auto ipv6 = std::make_shared<const std::vector<wire::IpAddress>>(middle, addresses.end());
  // For the first of each family; null afterwards.
  auto announced4 = std::make_shared<uint32_t>(0);
  auto announced6 = std::make_shared<uint32_t>(0);
  AnnouncementProgress progress{announced4, announced6};
  for (const uint32_t offset_ms : schedule.ipv4_ms) {
    const int64_t due_ns = now_ns + offset_ms * kNanosecondsPerMillisecond;
    add({due_ns, urgent, FrameForm::kArpRequest, slot, ipv4, std::exchange(announced4, nullptr)});
    add({due_ns + 1, urgent, FrameForm::kArpReply, slot, ipv4});
  }
  for (const uint32_t offset_ms : schedule.ipv6_ms) {
    const int64_t due_ns = now_ns + offset_ms * kNanosecondsPerMillisecond;
    add({due_ns, urgent, FrameForm::kAdvertisement, slot, ipv6, std::exchange(announced6, nullptr)});
  }
  return progress;
}

void Announcer::probe(std::vector<wire::IpAddress> addresses, unsigned slot, const std::vector<uint32_t>& offsets_ms,
                      int64_t now_ns) {
  const auto shared = std::make_shared<const std::vector<wire::IpAddress>>(std::move(addresses));
  for (const uint32_t offset_ms : offsets_ms) {
    add({now_ns + offset_ms * kNanosecondsPerMillisecond, true, FrameForm::kProbe, slot, shared});
  }
}

bool Announcer::run(int64_t now_ns, size_t budget, TransmitTarget& target) {
  run_lane(urgent_, now_ns, budget, target);
  run_lane(refresh_, now_ns, budget, target);
  return next_due_ns() <= now_ns;
}

void Announcer::run_lane(Lane& lane, int64_t now_ns, size_t& budget, TransmitTarget& target) {
  while (budget > 0 && lane.next_due_ns() <= now_ns) {
    if (!lane.has_running) {
      std::pop_heap(lane.waiting.begin(), lane.waiting.end(), Later{});
      lane.running = std::move(lane.waiting.back());
      lane.waiting.pop_back();
      lane.position = 0;
    }
    const Transmission& transmission = lane.running;
    const auto& addresses = *transmission.addresses;
    for (; budget > 0 && lane.position < addresses.size(); ++lane.position, --budget) {
      const wire::IpAddress& address = addresses[lane.position];
      wire::Mac mac;
      uint8_t* frame = target.begin_frame(transmission.slot, address, transmission.form, mac);
      if (frame != nullptr) target.end_frame(store(frame, transmission.form, mac, address));
    }
    if (transmission.announced) *transmission.announced = static_cast<uint32_t>(lane.position);
    lane.has_running = lane.position < addresses.size();
    if (!lane.has_running) lane.running = {};
  }
}

size_t Announcer::store(uint8_t* frame, FrameForm form, const wire::Mac& mac, const wire::IpAddress& address) {
  switch (form) {
    case FrameForm::kArpRequest:
      return wire::store_arp_announcement_request(frame, mac.data(), address.ipv4());
    case FrameForm::kArpReply:
      return wire::store_arp_announcement_reply(frame, mac.data(), address.ipv4());
    case FrameForm::kAdvertisement:
      return wire::store_unsolicited_advertisement(frame, mac.data(), address.ipv6());
    case FrameForm::kProbe:
    case FrameForm::kDirected:
      break;
  }
  if (address.is_ipv4()) return wire::store_arp_probe(frame, mac.data(), address.ipv4());
  const uint64_t random = random_();
  wire::Nonce nonce;
  std::memcpy(nonce.data(), &random, nonce.size());
  return wire::store_dad_solicitation(frame, mac.data(), address.ipv6(), nonce);
}

template <typename Predicate>
void Announcer::cancel_if(Predicate matches) {
  for (Lane* lane : {&urgent_, &refresh_}) {
    auto& heap = lane->waiting;
    heap.erase(std::remove_if(heap.begin(), heap.end(), matches), heap.end());
    std::make_heap(heap.begin(), heap.end(), Later{});
    if (!lane->has_running || !matches(lane->running)) continue;
    lane->has_running = false;
    lane->running = {};
  }
}

void Announcer::cancel(unsigned slot) {
  cancel_if([slot](const Transmission& transmission) { return transmission.slot == slot; });
}

void Announcer::cancel_announcements(unsigned slot) {
  cancel_if([slot](const Transmission& transmission) {
    return transmission.slot == slot && transmission.form != FrameForm::kProbe;
  });
}

int64_t Announcer::Lane::next_due_ns() const {
  if (has_running) return std::numeric_limits<int64_t>::min();
  return waiting.empty() ? std::numeric_limits<int64_t>::max() : waiting.front().due_ns;
}

int64_t Announcer::next_due_ns() const { return std::min(urgent_.next_due_ns(), refresh_.next_due_ns()); }

}  // namespace arpeggio
