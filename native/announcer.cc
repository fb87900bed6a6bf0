#include "announcer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "wire/arp.h"

namespace arpeggio {

namespace {
constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;
}

// Nonces must differ between hosts and runs (RFC 7527 4.1), not withstand guessing.
Announcer::Announcer() : random_(std::random_device{}()) {}

void Announcer::add(Transmission transmission) {
  if (transmission.addresses->empty()) return;
  auto& heap = transmission.urgent ? urgent_ : refresh_;
  heap.push_back(std::move(transmission));
  std::push_heap(heap.begin(), heap.end(), Later{});
}

void Announcer::announce(std::vector<wire::IpAddress> addresses, unsigned slot, const AnnouncementSchedule& schedule,
                         bool urgent, int64_t now_ns) {
  const auto middle = std::partition(addresses.begin(), addresses.end(),
                                     [](const wire::IpAddress& address) { return address.is_ipv4(); });
  const auto ipv4 = std::make_shared<const std::vector<wire::IpAddress>>(addresses.begin(), middle);
  const auto ipv6 = std::make_shared<const std::vector<wire::IpAddress>>(middle, addresses.end());
  for (const uint32_t offset_ms : schedule.ipv4_ms) {
    const int64_t due_ns = now_ns + offset_ms * kNanosecondsPerMillisecond;
    add({due_ns, urgent, FrameForm::kArpRequest, slot, ipv4});
    add({due_ns + 1, urgent, FrameForm::kArpReply, slot, ipv4});
  }
  for (const uint32_t offset_ms : schedule.ipv6_ms) {
    add({now_ns + offset_ms * kNanosecondsPerMillisecond, urgent, FrameForm::kAdvertisement, slot, ipv6});
  }
}

void Announcer::probe(std::vector<wire::IpAddress> addresses, unsigned slot, const std::vector<uint32_t>& offsets_ms,
                      int64_t now_ns) {
  const auto shared = std::make_shared<const std::vector<wire::IpAddress>>(std::move(addresses));
  for (const uint32_t offset_ms : offsets_ms) {
    add({now_ns + offset_ms * kNanosecondsPerMillisecond, true, FrameForm::kProbe, slot, shared});
  }
}

bool Announcer::start_next(int64_t now_ns) {
  for (auto* heap : {&urgent_, &refresh_}) {
    if (heap->empty() || heap->front().due_ns > now_ns) continue;
    std::pop_heap(heap->begin(), heap->end(), Later{});
    running_ = {std::move(heap->back()), 0};
    heap->pop_back();
    has_running_ = true;
    return true;
  }
  return false;
}

bool Announcer::run(int64_t now_ns, size_t budget, TransmitTarget& target) {
  while (budget > 0) {
    if (!has_running_ && !start_next(now_ns)) return false;
    const Transmission& transmission = running_.transmission;
    const auto& addresses = *transmission.addresses;
    while (budget > 0 && running_.position < addresses.size()) {
      const wire::IpAddress& address = addresses[running_.position];
      wire::Mac mac;
      uint8_t* frame = target.begin_frame(transmission.slot, address, transmission.form, mac);
      if (frame != nullptr) target.end_frame(store(frame, transmission.form, mac, address));
      ++running_.position;
      --budget;
    }
    has_running_ = running_.position < addresses.size();
  }
  return next_due_ns() <= now_ns;
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
  for (auto* heap : {&urgent_, &refresh_}) {
    heap->erase(std::remove_if(heap->begin(), heap->end(), matches), heap->end());
    std::make_heap(heap->begin(), heap->end(), Later{});
  }
  if (has_running_ && matches(running_.transmission)) has_running_ = false;
}

void Announcer::cancel(unsigned slot) {
  cancel_if([slot](const Transmission& transmission) { return transmission.slot == slot; });
}

void Announcer::cancel_announcements(unsigned slot) {
  cancel_if([slot](const Transmission& transmission) {
    return transmission.slot == slot && transmission.form != FrameForm::kProbe;
  });
}

int64_t Announcer::next_due_ns() const {
  if (has_running_) return std::numeric_limits<int64_t>::min();
  int64_t due_ns = std::numeric_limits<int64_t>::max();
  if (!urgent_.empty()) due_ns = std::min(due_ns, urgent_.front().due_ns);
  if (!refresh_.empty()) due_ns = std::min(due_ns, refresh_.front().due_ns);
  return due_ns;
}

}  // namespace arpeggio
