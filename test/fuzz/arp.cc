// Fuzzes reply() with ARP frames.
#include "check_reply.h"
#include "repair.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return arpeggio::fuzz::mutate(data, size, max_size, seed, arpeggio::fuzz::repair_arp);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  arpeggio::fuzz::Input input;
  if (arpeggio::fuzz::read_input(data, size, input)) arpeggio::fuzz::check_reply(input);
  return 0;
}
