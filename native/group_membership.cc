#include "group_membership.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "wire/address.h"

namespace arpeggio {

namespace {

ipv6_mreq membership_request(uint32_t low24, unsigned interface_index) {
  ipv6_mreq request{};
  uint8_t* group = request.ipv6mr_multiaddr.s6_addr;
  std::memcpy(group, wire::kSolicitedNodePrefix, sizeof wire::kSolicitedNodePrefix);
  group[13] = static_cast<uint8_t>(low24 >> 16);
  group[14] = static_cast<uint8_t>(low24 >> 8);
  group[15] = static_cast<uint8_t>(low24);
  request.ipv6mr_interface = interface_index;
  return request;
}

}  // namespace

void GroupMembership::want(const std::vector<uint32_t>& low24s) {
  if (low24s == wanted_) return;
  std::vector<uint32_t> added;
  std::vector<uint32_t> removed;
  std::set_difference(low24s.begin(), low24s.end(), wanted_.begin(), wanted_.end(), std::back_inserter(added));
  std::set_difference(wanted_.begin(), wanted_.end(), low24s.begin(), low24s.end(), std::back_inserter(removed));
  wanted_ = low24s;
  to_join_.insert(to_join_.end(), added.begin(), added.end());
  to_leave_.insert(to_leave_.end(), removed.begin(), removed.end());
}

void GroupMembership::retry() {
  to_join_.insert(to_join_.end(), failed_.begin(), failed_.end());
  failed_.clear();
}

void GroupMembership::forget() {
  // The sockets still list their groups, and would refuse to join them again.
  sockets_.clear();
  joined_.clear();
  to_join_.clear();
  to_leave_.clear();
  failed_ = wanted_;
  error_ = ENODEV;
}

bool GroupMembership::step(size_t budget) {
  for (; budget > 0 && !to_join_.empty(); --budget) {
    const uint32_t low24 = to_join_.front();
    to_join_.pop_front();
    if (!std::binary_search(wanted_.begin(), wanted_.end(), low24) || joined_.count(low24) != 0) continue;
    if (join(low24)) continue;
    failed_.push_back(low24);
    if (error_ == ENODEV || error_ == EINVAL || error_ == EADDRNOTAVAIL) {
      // No IPv6 on the interface: the others would fail alike.
      failed_.insert(failed_.end(), to_join_.begin(), to_join_.end());
      to_join_.clear();
    }
  }
  for (; budget > 0 && !to_leave_.empty(); --budget) {
    const uint32_t low24 = to_leave_.front();
    to_leave_.pop_front();
    if (!std::binary_search(wanted_.begin(), wanted_.end(), low24)) leave(low24);
  }
  return !to_join_.empty() || !to_leave_.empty();
}

bool GroupMembership::join(uint32_t low24) {
  const ipv6_mreq request = membership_request(low24, interface_index_);
  for (size_t index = 0;; ++index) {
    if (index == sockets_.size()) {
      FileDescriptor fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      if (!fd.valid()) {
        error_ = errno;
        return false;
      }
      sockets_.push_back({std::move(fd), false});
    }
    Socket& socket = sockets_[index];
    if (socket.full) continue;
    if (setsockopt(socket.fd.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0) {
      joined_.emplace(low24, index);
      return true;
    }
    const bool fresh = std::none_of(joined_.begin(), joined_.end(),
                                    [index](const auto& entry) { return entry.second == index; });
    if ((errno != ENOMEM && errno != ENOBUFS) || fresh) {
      error_ = errno;
      return false;
    }
    socket.full = true;
  }
}

void GroupMembership::leave(uint32_t low24) {
  const auto entry = joined_.find(low24);
  if (entry == joined_.end()) return;
  const ipv6_mreq request = membership_request(low24, interface_index_);
  Socket& socket = sockets_[entry->second];
  setsockopt(socket.fd.get(), IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof request);
  socket.full = false;
  joined_.erase(entry);
}

}  // namespace arpeggio
