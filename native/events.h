// What the packet thread tells the control plane. Rare by design: one per change, never one per packet.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "link_monitor.h"
#include "reply.h"

namespace arpeggio {

enum class EventType : uint8_t { kRival, kPortOpened, kPortClosed, kPortFailed, kLinksFailed, kTableExpired, kFilterFallback };

struct Event {
  EventType type{};
  std::string interface_name{};
  wire::Mac mac{};
  std::string text{};  // reason or error
  wire::IpAddress address{};
  RivalKind rival_kind{};
};

struct EventBatch {
  std::vector<Event> events;
  bool links_changed = false;
  std::vector<Link> links;  // all of them, where links_changed
  uint64_t lost = 0;        // events that did not fit the queue
};

// From the packet thread to one reader. Bounded: a reader that stands still costs memory for kCapacity events, no more.
class EventQueue {
 public:
  static constexpr size_t kCapacity = 1024;

  // `wake` is called on the packet thread when the queue stops being empty; it must not block.
  explicit EventQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  void push(Event event) {
    bool first;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      first = is_empty();
      if (batch_.events.size() < kCapacity) {
        batch_.events.push_back(std::move(event));
      } else {
        ++batch_.lost;
      }
    }
    if (first) wake_();
  }

  // Only the latest state of the links matters, so it replaces one not read yet.
  void set_links(std::vector<Link> links) {
    bool first;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      first = is_empty();
      batch_.links = std::move(links);
      batch_.links_changed = true;
    }
    if (first) wake_();
  }

  EventBatch take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(batch_, {});
  }

 private:
  bool is_empty() const { return batch_.events.empty() && !batch_.links_changed; }

  std::function<void()> wake_;
  std::mutex mutex_;
  EventBatch batch_;
};

}  // namespace arpeggio
