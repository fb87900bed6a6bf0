#include "announcement_sender.h"

namespace arpeggio {

uint8_t* AnnouncementSender::begin_frame(unsigned slot, const wire::IpAddress& address, FrameForm form,
                                         wire::Mac& mac) {
  Port* port = ports_.at(slot);
  if (port == nullptr || !port->usable()) return nullptr;
  const IpTableEntry* entry = answering_.table->find(address);
  if (entry == nullptr) return nullptr;
  const bool is_probe = form == FrameForm::kProbe;
  if (is_probe) {
    if (!answering_.probes(*entry, slot)) return nullptr;
  } else if (!answering_.answers(*entry, slot) || ((entry->tentative | entry->quiet) & slot_bit(slot)) != 0) {
    return nullptr;
  }
  const int fd = address.is_ipv4() ? port->arp().fd() : port->ndp().fd();
  if (fd != fd_ || slot != slot_ || batch_.full()) flush();
  fd_ = fd;
  slot_ = slot;
  mac = port->mac();
  count(*entry, form);
  return batch_.slot();
}

void AnnouncementSender::count(const IpTableEntry& entry, FrameForm form) {
  InterfaceCounters& counters = interface_counters_[slot_];
  if (form == FrameForm::kProbe) {
    counters.probes.add(1);
  } else if (form == FrameForm::kDirected) {
    counters.directed_requests.add(1);
  } else {
    counters.announcements.add(1);
    address_counters_.at(entry.counter_slot).announcements.add(1);
  }
}

void AnnouncementSender::flush() {
  if (batch_.empty()) return;
  const size_t wanted = batch_.size();
  // What the queue has no room for is lost: the schedule repeats every announcement.
  interface_counters_[slot_].send_errors.add(wanted - batch_.send(fd_));
}

}  // namespace arpeggio
