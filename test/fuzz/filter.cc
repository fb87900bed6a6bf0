// Fuzzes the classic socket filters against reply(): what a filter throws away must be a frame that reply() would have
// ignored too, or the same frame would be answered with one filter and not with another.
#include <linux/filter.h>

#include "check_reply.h"
#include "repair.h"
#include "socket_filter.h"

namespace {

using namespace arpeggio;

// The kernel's classic BPF machine as far as our filters use it; false: the frame is thrown away. A load past the end
// of the frame does that too.
bool passes(const std::vector<sock_filter>& program, const Frame& frame) {
  uint32_t accumulator = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (instruction.k == static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
          accumulator = static_cast<uint32_t>(frame.type);
        } else if (instruction.k == static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG)) {
          accumulator = frame.has_vlan ? frame.vlan_tci : 0;
        } else {
          if (size_t{instruction.k} + 4 > frame.size) return false;
          accumulator = wire::load32(frame.bytes + instruction.k);
        }
        break;
      case BPF_LD | BPF_H | BPF_ABS:
        if (size_t{instruction.k} + 2 > frame.size) return false;
        accumulator = wire::load16(frame.bytes + instruction.k);
        break;
      case BPF_LD | BPF_B | BPF_ABS:
        if (size_t{instruction.k} + 1 > frame.size) return false;
        accumulator = frame.bytes[instruction.k];
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += accumulator == instruction.k ? instruction.jt : instruction.jf;
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        at += (accumulator & instruction.k) != 0 ? instruction.jt : instruction.jf;
        break;
      case BPF_JMP | BPF_JA:
        at += instruction.k;
        break;
      case BPF_RET | BPF_K:
        return instruction.k != 0;
      default:
        std::fprintf(stderr, "an instruction that this machine does not know: %#x\n", instruction.code);
        std::abort();
    }
  }
  std::fprintf(stderr, "the filter ran past its end\n");
  std::abort();
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return fuzz::mutate(data, size, max_size, seed >> 1, (seed & 1) != 0 ? fuzz::repair_arp : fuzz::repair_ndp);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<sock_filter> kArpFilter = classic_arp_filter();
  static const std::vector<sock_filter> kNdpFilter = classic_ndp_filter();
  fuzz::Input input;
  if (!fuzz::read_input(data, size, input) || input.frame.size < wire::kEthernetHeaderSize) return 0;
  const uint16_t ether_type = wire::load16(input.frame.bytes + 12);
  // Each socket is bound to its EtherType: the kernel hands it nothing else.
  if (ether_type != wire::kEtherTypeArp && ether_type != wire::kEtherTypeIpv6) return 0;
  if (passes(ether_type == wire::kEtherTypeArp ? kArpFilter : kNdpFilter, input.frame)) return 0;
  const Verdict verdict = fuzz::check_reply(input);
  ARPEGGIO_CHECK(verdict.reply_size == 0 && !verdict.has_rival && !verdict.is_request && !verdict.has_client);
  return 0;
}
