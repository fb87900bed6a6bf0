// The MACs of the nodes heard on one interface, also of those that are down.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "wire/ethernet.h"

namespace arpeggio {

class KnownMacs {
 public:
  void learn(const std::string& node, const wire::Mac& mac) {
    const auto known = by_node_.find(node);
    if (known != by_node_.end()) {
      if (known->second == mac) return;
      forget(known->second);
      known->second = mac;
    } else {
      if (by_node_.size() >= kCapacity) {
        forget(by_node_.begin()->second);
        by_node_.erase(by_node_.begin());
      }
      by_node_.emplace(node, mac);
    }
    ++nodes_with_[to_key(mac)];
  }

  bool contains(const wire::Mac& mac) const { return nodes_with_.count(to_key(mac)) != 0; }

 private:
  static constexpr size_t kCapacity = 2048;

  static uint64_t to_key(const wire::Mac& mac) {
    return static_cast<uint64_t>(wire::load16(mac.data())) << 32 | wire::load32(mac.data() + 2);
  }
  void forget(const wire::Mac& mac) {
    const auto count = nodes_with_.find(to_key(mac));
    if (--count->second == 0) nodes_with_.erase(count);
  }

  std::unordered_map<std::string, wire::Mac> by_node_;
  std::unordered_map<uint64_t, unsigned> nodes_with_;
};

}  // namespace arpeggio
