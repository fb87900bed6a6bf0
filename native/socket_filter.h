// What the kernel may throw away before it wakes us. The floor is classic BPF, which knows what cannot be ours by its
// kind; where the process may load BPF, an eBPF program also knows the addresses, so that a storm of requests for other
// hosts wakes nobody. User space checks everything again: frames queued before a change still arrive.
#pragma once

#include <linux/filter.h>

#include <atomic>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "ip_table.h"
#include "packet_socket.h"

namespace arpeggio {

std::vector<sock_filter> classic_arp_filter();
std::vector<sock_filter> classic_ndp_filter();
std::vector<sock_filter> classic_heartbeat_filter();

// The eBPF programs and their maps of service IPs, one per family, shared by all interfaces. Used by the publishing
// thread (update) and the packet thread (attach); bpf(2) itself serializes them.
class AddressFilter {
 public:
  // Never throws: without permission (CAP_BPF) or kernel support, available() is false and reason() says why.
  explicit AddressFilter(bool wanted);
  AddressFilter(const AddressFilter&) = delete;
  AddressFilter& operator=(const AddressFilter&) = delete;

  // May be asked on any thread; once false it stays false.
  bool available() const { return available_.load(std::memory_order_acquire); }
  const std::string& reason() const { return reason_; }

  // Makes the maps hold `next` where they held `previous`. Call before the packet thread gets `next`: an address must
  // be let through before it is answered. Returns false, and stays unavailable, when a map cannot hold it.
  bool update(const IpTable& previous, const IpTable& next);

  int arp_program() const { return arp_program_.get(); }
  int ndp_program() const { return ndp_program_.get(); }

 private:
  std::atomic<bool> available_{false};
  std::string reason_;  // written before available_ becomes false
  FileDescriptor ipv4_map_;
  FileDescriptor ipv6_map_;
  FileDescriptor arp_program_;
  FileDescriptor ndp_program_;
};

}  // namespace arpeggio
