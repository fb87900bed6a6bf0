#include "heartbeat_io.h"

#include <sys/socket.h>

#include <stdexcept>
#include <utility>

#include "clock.h"

namespace arpeggio {

namespace {

std::function<double()> random_numbers() {
  return [engine = std::mt19937_64(std::random_device{}()),
          distribution = std::uniform_real_distribution<double>()]() mutable { return distribution(engine); };
}

}  // namespace

HeartbeatIo::HeartbeatIo(HeartbeatOptions options, const PortSet& ports, EventQueue& events,
                         InterfaceCounters* interface_counters, PeerLost peer_lost)
    : ports_(ports),
      events_(events),
      interface_counters_(interface_counters),
      peer_lost_(std::move(peer_lost)),
      heartbeater_(std::move(options), *this, random_numbers()) {}

void HeartbeatIo::set_keys(const HeartbeatKeys& keys) {
  try {
    heartbeater_.set_keys(keys);
  } catch (const std::runtime_error&) {
    // OpenSSL took the same keys a moment ago (ResponderWrap::set_keys): it lacks memory. The old ones stay.
  }
}

void HeartbeatIo::set_interfaces(const std::vector<std::string>& names) {
  const std::vector<std::string> previous = std::exchange(names_, names);
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) {
    const std::string before = slot < previous.size() ? previous[slot] : std::string();
    const std::string after = slot < names.size() ? names[slot] : std::string();
    if (before == after) continue;
    heartbeater_.forget(slot);
    macs_[slot] = {};
    const auto advertised = advertised_.find(after);
    if (advertised != advertised_.end()) heartbeater_.advertise(slot, advertised->second, monotonic_ns());
  }
}

int HeartbeatIo::slot_of(const std::string& interface_name) const {
  for (size_t slot = 0; slot < names_.size(); ++slot) {
    if (names_[slot] == interface_name) return static_cast<int>(slot);
  }
  return -1;
}

void HeartbeatIo::advertise(const std::string& interface_name, Advertisement advertisement) {
  const int slot = slot_of(interface_name);
  Advertisement& kept = advertised_[interface_name];
  kept = std::move(advertisement);
  if (slot >= 0) heartbeater_.advertise(static_cast<unsigned>(slot), kept, monotonic_ns());
}

wire::NodeState HeartbeatIo::state(unsigned slot) const {
  const auto advertised = slot < names_.size() ? advertised_.find(names_[slot]) : advertised_.end();
  return advertised == advertised_.end() ? wire::NodeState::kJoining : advertised->second.state;
}

void HeartbeatIo::send_message(const std::string& interface_name, const std::vector<uint8_t>& body) {
  const int slot = slot_of(interface_name);
  if (slot >= 0) heartbeater_.send_message(static_cast<unsigned>(slot), body.data(), body.size(), monotonic_ns());
}

bool HeartbeatIo::drain(Port& port, size_t budget) {
  PacketSocket& socket = *port.heartbeats();
  InterfaceCounters& counters = interface_counters_[port.slot()];
  Frame frame;
  size_t count = 0;
  for (; count < budget && socket.next(frame); ++count) {
    const auto refusal = heartbeater_.on_frame(frame, port.slot(), monotonic_ns());
    socket.release();
    if (refusal) {
      counters.drops[static_cast<size_t>(*refusal)].add(1);
    } else {
      counters.heartbeats_received.add(1);
    }
  }
  if (count == budget) counters.ring_drops.add(socket.take_ring_drops());
  return count == budget;
}

void HeartbeatIo::run(int64_t now_ns) {
  for (unsigned slot = 0; slot < kMaxSlots; ++slot) {
    Port* port = ports_.at(slot);
    // What comes in meanwhile, be it a flood, is later than `now_ns`: nobody is judged by it.
    if (port != nullptr && port->heartbeats() != nullptr) drain(*port, port->heartbeats()->ring_size());
  }
  heartbeater_.tick(now_ns);
}

void HeartbeatIo::send_frame(unsigned slot, const uint8_t* frame, size_t size) {
  Port* port = ports_.at(slot);
  if (port == nullptr || port->heartbeats() == nullptr) return;
  InterfaceCounters& counters = interface_counters_[slot];
  const ssize_t sent = send(port->heartbeats()->fd(), frame, size, MSG_DONTWAIT);
  (sent == static_cast<ssize_t>(size) ? counters.heartbeats_sent : counters.send_errors).add(1);
}

void HeartbeatIo::peer_changed(unsigned slot, const PeerReport& report) {
  // Who never heard us, as a host with our name, may use what we probe.
  if (report.link == PeerLink::kTwoWay) macs_[slot].learn(report.node, report.mac);
  events_.set_peer(names_[slot], report);
}

void HeartbeatIo::peer_message(unsigned slot, const std::string& node, uint64_t incarnation, const uint8_t* body,
                               size_t size) {
  Event event{EventType::kMessage, names_[slot]};
  event.text = node;
  event.incarnation = incarnation;
  event.body.assign(body, body + size);
  events_.push(std::move(event));
}

void HeartbeatIo::frame_refused(unsigned slot, const wire::Mac& source, DropReason reason, uint32_t count) {
  Event event{EventType::kHeartbeatRefused, names_[slot], source};
  event.refusal = reason;
  event.count = count;
  events_.push(std::move(event));
}

void HeartbeatIo::same_segment(unsigned slot, unsigned other_slot) {
  events_.push(Event{EventType::kSameSegment, names_[slot], {}, names_[other_slot]});
}

void HeartbeatIo::name_in_use(unsigned slot, const wire::Mac& source, const std::string& node) {
  events_.push(Event{EventType::kNameInUse, names_[slot], source, node});
}

}  // namespace arpeggio
