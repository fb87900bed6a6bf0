// What the packet thread tells the control plane. Rare by design: one per change, never one per packet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "heartbeater.h"
#include "link_monitor.h"
#include "reply.h"

namespace arpeggio {

enum class EventType : uint8_t {
  kRival,
  kPortOpened,
  kPortClosed,
  kPortFailed,
  kLinksFailed,
  kTableExpired,
  kFilterFallback,
  kMessage,
  kTook,
  kHeld,
  kConfirmed,
  kHeartbeatRefused,
  kSameSegment,
  kNameInUse,
};

// How far the clients of addresses have followed them to our MAC.
struct Confirmation {
  bool of_takeover;  // else of announce()
  uint32_t clients;
  uint32_t confirmed;
  bool final;
};

struct Event {
  EventType type{};
  std::string interface_name{};
  wire::Mac mac{};
  std::string text{};  // reason, error, node or other interface
  wire::IpAddress address{};
  RivalKind rival_kind{};
  uint64_t incarnation{};
  uint64_t number{};   // of the takeover, the hold or the announcement
  int64_t after_ns{};  // kTook
  std::vector<wire::IpAddress> addresses{};
  std::vector<uint8_t> body{};
  DropReason refusal{};
  uint64_t count{};
  Confirmation confirmation{};
};

// By interface and incarnation.
using PeerReports = std::map<std::pair<std::string, uint64_t>, PeerReport>;

struct EventBatch {
  PeerReports peers;  // the latest of each peer that changed
  std::vector<Event> events;
  bool links_changed = false;
  std::vector<Link> links;  // all of them, where links_changed
  uint64_t lost = 0;        // events that did not fit the queue
};

// From the packet thread to one reader. Bounded: a reader that stands still costs memory for kCapacity events, no more.
class EventQueue {
 public:
  static constexpr size_t kCapacity = 1024;
  // What the reader must not miss gets room beyond the capacity. It needs little: a takeover has had a plan, a hold a
  // link that returned.
  static constexpr size_t kEssentialCapacity = 8192;
  // Of all interfaces together.
  static constexpr size_t kPeerCapacity = 8192;

  // `wake` is called on the packet thread when the queue stops being empty; it must not block.
  explicit EventQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  void push(Event event) {
    put([&] {
      const size_t capacity = is_essential(event.type) ? kEssentialCapacity : kCapacity;
      if (batch_.events.size() < capacity) {
        batch_.events.push_back(std::move(event));
      } else {
        ++batch_.lost;
      }
    });
  }

  // Only the latest state of the links matters, so it replaces one not read yet.
  void set_links(std::vector<Link> links) {
    put([&] {
      batch_.links = std::move(links);
      batch_.links_changed = true;
    });
  }

  // So it is with each peer.
  void set_peer(const std::string& interface_name, PeerReport report) {
    put([&] {
      const auto key = std::make_pair(interface_name, report.incarnation);
      const auto found = batch_.peers.find(key);
      if (found != batch_.peers.end()) {
        found->second = std::move(report);
      } else if (batch_.peers.size() < kPeerCapacity) {
        batch_.peers.emplace(key, std::move(report));
      } else {
        ++batch_.lost;
      }
    });
  }

  EventBatch take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(batch_, {});
  }

 private:
  static bool is_essential(EventType type) {
    return type == EventType::kTook || type == EventType::kHeld || type == EventType::kConfirmed;
  }

  template <typename Change>
  void put(Change change) {
    bool first;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      first = batch_.events.empty() && batch_.peers.empty() && !batch_.links_changed;
      change();
    }
    if (first) wake_();
  }

  std::function<void()> wake_;
  std::mutex mutex_;
  EventBatch batch_;
};

}  // namespace arpeggio
