// The heartbeater on real ports: its frames go out and come in through the ports' third sockets, its news become events.
// Belongs to the packet thread.
#pragma once

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "counters.h"
#include "events.h"
#include "heartbeater.h"
#include "known_macs.h"
#include "port_set.h"

namespace arpeggio {

// What fits a frame of a node with a name of this length.
constexpr size_t max_message_size(size_t name_size) {
  return std::min(wire::kMaxMessageSize, wire::kMaxHeartbeatFrameSize - wire::kEthernetHeaderSize -
                                             wire::kHeartbeatHeaderSize - name_size - wire::kHeartbeatMacSize);
}

class HeartbeatIo final : private HeartbeatSink {
 public:
  // Called on the packet thread, from within drain() and run(), before the peer's own event.
  using PeerLost = std::function<void(unsigned slot, const PeerDown& down)>;

  // `interface_counters` has one element per slot. Everything given outlives this. Throws std::runtime_error where
  // OpenSSL refuses.
  HeartbeatIo(HeartbeatOptions options, const PortSet& ports, EventQueue& events, InterfaceCounters* interface_counters,
              PeerLost peer_lost);

  void set_keys(const HeartbeatKeys& keys);
  // The slots' interfaces from now on. What belongs to a slot that is another interface now is forgotten.
  void set_interfaces(const std::vector<std::string>& names);
  void open(const Port& port, int64_t now_ns) { heartbeater_.open(port.slot(), port.mac(), now_ns); }
  void shut(unsigned slot, int64_t now_ns) { heartbeater_.shut(slot, now_ns); }
  // Remembered for an interface that is not there yet.
  void advertise(const std::string& interface_name, Advertisement advertisement);
  void send_message(const std::string& interface_name, const std::vector<uint8_t>& body);

  // Takes in at most `budget` frames that a port has received. True when there may be more.
  bool drain(Port& port, size_t budget);
  // Judges peers and sends what is due; before, it takes in what the ports have received until now.
  void run(int64_t now_ns);
  int64_t next_due_ns() const { return heartbeater_.next_due_ns(); }

  // The thread stood still for so long beyond its plan.
  void paused(int64_t gap_ns) { heartbeater_.paused(gap_ns); }
  void expire(int64_t now_ns) { heartbeater_.expire(now_ns); }
  void renew(int64_t now_ns) { heartbeater_.renew(now_ns); }

  int64_t interval_ns(unsigned slot) const { return heartbeater_.interval_ns(slot); }
  int64_t detection_ns(unsigned slot) const { return heartbeater_.detection_ns(slot); }
  bool has_two_way_peer(unsigned slot) const { return heartbeater_.has_two_way_peer(slot); }
  bool had_two_way_peer(unsigned slot) const { return heartbeater_.had_two_way_peer(slot); }
  // As advertised there; joining before.
  wire::NodeState state(unsigned slot) const;
  // Whether a peer of the slot, up or down, that has heard us sends from this MAC.
  bool knows_mac(unsigned slot, const wire::Mac& mac) const { return macs_[slot].contains(mac); }

 private:
  void send_frame(unsigned slot, const uint8_t* frame, size_t size) override;
  void peer_down(unsigned slot, const PeerDown& down) override { peer_lost_(slot, down); }
  void peer_changed(unsigned slot, const PeerReport& report) override;
  void peer_message(unsigned slot, const std::string& node, uint64_t incarnation, const uint8_t* body,
                    size_t size) override;
  void frame_refused(unsigned slot, const wire::Mac& source, DropReason reason, uint32_t count) override;
  void same_segment(unsigned slot, unsigned other_slot) override;
  void name_in_use(unsigned slot, const wire::Mac& source, const std::string& node) override;
  int slot_of(const std::string& interface_name) const;

  const PortSet& ports_;
  EventQueue& events_;
  InterfaceCounters* interface_counters_;
  PeerLost peer_lost_;
  Heartbeater heartbeater_;
  std::vector<std::string> names_;  // by slot
  std::unordered_map<std::string, Advertisement> advertised_;
  KnownMacs macs_[kMaxSlots];
};

}  // namespace arpeggio
