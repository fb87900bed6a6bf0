// Joins the solicited-node groups of an interface by IPV6_JOIN_GROUP, so that the kernel sends MLD reports and snooping
// switches forward Neighbor Solicitations to us (RFC 4861 7.2.1). Works in slices: thousands of joins must not hold up
// the answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "file_descriptor.h"

namespace arpeggio {

class GroupMembership {
 public:
  explicit GroupMembership(unsigned interface_index) : interface_index_(interface_index) {}

  // `low24s`: the wanted groups, sorted, each once. What is joined already stays joined.
  void want(const std::vector<uint32_t>& low24s);

  // Tries again what failed (no IPv6 on the interface yet): call when its addresses change.
  void retry();

  // The kernel has dropped all memberships, because it took IPv6 off the interface: joins them anew with the next retry.
  void forget();

  // Does at most `budget` joins or leaves. True when more is to do.
  bool step(size_t budget);

  size_t joined() const { return joined_.size(); }
  // errno of the last failed join, 0 when all that is wanted is joined or still to be tried.
  int error() const { return failed_.empty() ? 0 : error_; }

 private:
  struct Socket {
    FileDescriptor fd;
    bool full = false;  // the socket's option memory (net.core.optmem_max) is used up
  };

  bool join(uint32_t low24);
  void leave(uint32_t low24);

  unsigned interface_index_;
  std::vector<uint32_t> wanted_;
  std::deque<uint32_t> to_join_;
  std::deque<uint32_t> to_leave_;
  std::vector<uint32_t> failed_;
  int error_ = 0;
  std::vector<Socket> sockets_;
  std::unordered_map<uint32_t, size_t> joined_;  // group -> index in sockets_
};

}  // namespace arpeggio
