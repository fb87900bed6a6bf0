// Where the announcer's frames go: into batches, one per socket. Each is checked at the moment it is sent.
#pragma once

#include "announcer.h"
#include "answering.h"
#include "counters.h"
#include "port_set.h"

namespace arpeggio {

class AnnouncementSender final : public TransmitTarget {
 public:
  // `interface_counters` has one element per slot.
  AnnouncementSender(const PortSet& ports, const Answering& answering, InterfaceCounters* interface_counters,
                     AddressCounterStore& address_counters)
      : ports_(ports),
        answering_(answering),
        interface_counters_(interface_counters),
        address_counters_(address_counters) {}
  // Sends what is left.
  ~AnnouncementSender() override { flush(); }

  uint8_t* begin_frame(unsigned slot, const wire::IpAddress& address, FrameForm form, wire::Mac& mac) override;
  void end_frame(size_t size) override { batch_.commit(size); }

 private:
  void count(const IpTableEntry& entry, FrameForm form);
  void flush();

  const PortSet& ports_;
  const Answering& answering_;
  InterfaceCounters* interface_counters_;
  AddressCounterStore& address_counters_;
  SendBatch batch_;
  int fd_ = -1;
  unsigned slot_ = 0;
};

}  // namespace arpeggio
