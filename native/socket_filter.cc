#include "socket_filter.h"

#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstring>

#include "wire/ethernet.h"
#include "wire/heartbeat.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

namespace arpeggio {

namespace {

// Offsets from the Ethernet header on.
constexpr uint32_t kEtherTypeOffset = 12;
constexpr uint32_t kArpSpaOffset = 28;
constexpr uint32_t kArpTpaOffset = 38;
constexpr uint32_t kNextHeaderOffset = 20;
constexpr uint32_t kHopLimitOffset = 21;
constexpr uint32_t kIpv6SourceOffset = 22;
constexpr uint32_t kIpv6DestinationOffset = 38;
constexpr uint32_t kIcmpv6TypeOffset = 54;
constexpr uint32_t kNdpTargetOffset = 62;

constexpr uint32_t kAccept = 0xffffffff;
constexpr uint32_t kReject = 0;

// Of each family, three times what we are made for; a larger table falls back to the classic filter. The kernel keeps a
// bucket for each, used or not: many more than the addresses would be spread over memory that no cache holds. Entries
// are allocated as they come (BPF_F_NO_PREALLOC).
constexpr uint32_t kMapCapacity = 32768;

// A key of a word costs less to hash and to compare than one of four.
constexpr uint32_t kIpv4KeySize = 4;
constexpr uint32_t kIpv6KeySize = 16;

int bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(__NR_bpf, command, &attributes, sizeof attributes));
}

uint64_t pointer(const void* value) { return reinterpret_cast<uintptr_t>(value); }

// eBPF assembly, just what the two programs need. Jumps go to named labels, resolved by finish().
class Assembler {
 public:
  enum Label { kAcceptLabel, kRejectLabel, kUser1, kUser2, kUser3, kUser4, kLabelCount };

  void emit(uint8_t code, uint8_t destination, uint8_t source, int16_t offset, int32_t immediate) {
    bpf_insn instruction{};
    instruction.code = code;
    instruction.dst_reg = destination & 0x0f;
    instruction.src_reg = source & 0x0f;
    instruction.off = offset;
    instruction.imm = immediate;
    program_.push_back(instruction);
  }
  void move(uint8_t destination, uint8_t source) { emit(BPF_ALU64 | BPF_MOV | BPF_X, destination, source, 0, 0); }
  void move_immediate(uint8_t destination, int32_t value) {
    emit(BPF_ALU64 | BPF_MOV | BPF_K, destination, 0, 0, value);
  }
  void and_immediate(uint8_t destination, int32_t value) {
    emit(BPF_ALU64 | BPF_AND | BPF_K, destination, 0, 0, value);
  }
  // r0 = 32-bit field of the context (r6)
  void load_context(size_t field_offset) {
    emit(BPF_LDX | BPF_MEM | BPF_W, 0, 6, static_cast<int16_t>(field_offset), 0);
  }
  // r0 = byte of the packet; outside it the program ends and rejects
  void load_packet_byte(uint32_t offset) { emit(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, static_cast<int32_t>(offset)); }
  void jump(uint8_t operation, uint8_t reg, int32_t value, Label label) {
    fixups_.push_back({program_.size(), label});
    emit(static_cast<uint8_t>(BPF_JMP | operation | BPF_K), reg, 0, 0, value);
  }
  void jump_always(Label label) {
    fixups_.push_back({program_.size(), label});
    emit(BPF_JMP | BPF_JA, 0, 0, 0, 0);
  }
  void call(int32_t helper) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  void place(Label label) { labels_[label] = program_.size(); }

  // Accepts a packet too short to hold the bytes: user space names the drop.
  void load_packet_bytes(uint32_t offset, int16_t stack_offset, int32_t size) {
    move(1, 6);
    move_immediate(2, static_cast<int32_t>(offset));
    move(3, 10);
    emit(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, stack_offset);
    move_immediate(4, size);
    call(BPF_FUNC_skb_load_bytes);
    jump(BPF_JNE, 0, 0, kAcceptLabel);
  }
  // Accepts when the key at r10 + stack_offset is in the map.
  void accept_if_in_map(int map_fd, int16_t stack_offset) {
    emit(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map_fd);
    emit(0, 0, 0, 0, 0);
    move(2, 10);
    emit(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, stack_offset);
    call(BPF_FUNC_map_lookup_elem);
    jump(BPF_JNE, 0, 0, kAcceptLabel);
  }
  // PACKET_OTHERHOST, PACKET_OUTGOING and frames of another VLAN are never for us.
  void reject_foreign_frames() {
    load_context(offsetof(__sk_buff, pkt_type));
    jump(BPF_JEQ, 0, PACKET_OTHERHOST, kRejectLabel);
    jump(BPF_JEQ, 0, PACKET_OUTGOING, kRejectLabel);
    load_context(offsetof(__sk_buff, vlan_tci));
    and_immediate(0, 0x0fff);
    jump(BPF_JNE, 0, 0, kRejectLabel);
  }

  std::vector<bpf_insn> finish() {
    place(kRejectLabel);
    move_immediate(0, static_cast<int32_t>(kReject));
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    place(kAcceptLabel);
    move_immediate(0, static_cast<int32_t>(kAccept));
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    for (const Fixup& fixup : fixups_) {
      program_[fixup.position].off = static_cast<int16_t>(labels_[fixup.label] - fixup.position - 1);
    }
    return program_;
  }

 private:
  struct Fixup {
    size_t position;
    Label label;
  };
  std::vector<bpf_insn> program_;
  std::vector<Fixup> fixups_;
  size_t labels_[kLabelCount] = {};
};

std::vector<bpf_insn> ebpf_arp_program(int map_fd) {
  Assembler code;
  code.move(6, 1);
  code.reject_foreign_frames();
  code.load_packet_bytes(kArpTpaOffset, -4, kIpv4KeySize);  // a request for it, or a client's answer to it
  code.accept_if_in_map(map_fd, -4);
  code.load_packet_bytes(kArpSpaOffset, -4, kIpv4KeySize);  // somebody uses our address
  code.accept_if_in_map(map_fd, -4);
  return code.finish();
}

std::vector<bpf_insn> ebpf_ndp_program(int map_fd) {
  Assembler code;
  code.move(6, 1);
  code.load_packet_byte(kNextHeaderOffset);  // plain traffic leaves here
  code.jump(BPF_JEQ, 0, wire::kNextHeaderIcmpv6, Assembler::kUser1);
  code.jump(BPF_JEQ, 0, wire::kNextHeaderHopByHop, Assembler::kUser2);
  code.jump(BPF_JEQ, 0, wire::kNextHeaderRouting, Assembler::kUser2);
  code.jump(BPF_JEQ, 0, wire::kNextHeaderFragment, Assembler::kUser2);
  code.jump(BPF_JEQ, 0, wire::kNextHeaderDestinationOptions, Assembler::kUser2);
  code.jump_always(Assembler::kRejectLabel);

  code.place(Assembler::kUser1);
  code.load_packet_byte(kIcmpv6TypeOffset);
  code.jump(BPF_JEQ, 0, wire::kNeighborSolicitation, Assembler::kUser3);
  code.jump(BPF_JEQ, 0, wire::kNeighborAdvertisement, Assembler::kUser4);
  code.jump_always(Assembler::kRejectLabel);

  code.place(Assembler::kUser2);  // extension headers: only NDP has hop limit 255
  code.load_packet_byte(kHopLimitOffset);
  code.jump(BPF_JEQ, 0, wire::kNdpHopLimit, Assembler::kAcceptLabel);
  code.jump_always(Assembler::kRejectLabel);

  code.place(Assembler::kUser4);  // an advertisement: a client's answer to our address?
  code.reject_foreign_frames();
  code.load_packet_bytes(kIpv6DestinationOffset, -16, kIpv6KeySize);
  code.accept_if_in_map(map_fd, -16);

  code.place(Assembler::kUser3);
  code.reject_foreign_frames();
  code.load_packet_bytes(kNdpTargetOffset, -16, kIpv6KeySize);
  code.accept_if_in_map(map_fd, -16);
  code.load_packet_bytes(kIpv6SourceOffset, -16, kIpv6KeySize);  // somebody uses our address
  code.accept_if_in_map(map_fd, -16);
  return code.finish();
}

FileDescriptor load_program(const std::vector<bpf_insn>& program) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = pointer(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  attributes.license = pointer("Apache-2.0");
  std::strncpy(attributes.prog_name, "arpeggio", sizeof attributes.prog_name - 1);
  return FileDescriptor(bpf(BPF_PROG_LOAD, attributes));
}

FileDescriptor create_map(const char* name, uint32_t key_size) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_HASH;
  attributes.key_size = key_size;
  attributes.value_size = 1;
  attributes.max_entries = kMapCapacity;
  attributes.map_flags = BPF_F_NO_PREALLOC;
  std::strncpy(attributes.map_name, name, sizeof attributes.map_name - 1);
  return FileDescriptor(bpf(BPF_MAP_CREATE, attributes));
}

}  // namespace

std::vector<sock_filter> classic_arp_filter() {
  return {
      // 0: a frame for another MAC (or, on this kind of socket, of another VLAN), or our own?
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 3, 0),
      // 3: a VLAN tag with an id? The priority tag (id 0) passes.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0fff, 1, 0),
      // 5: everything else that is ARP; which address it asks for, user space looks up.
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_RET | BPF_K, kReject),
      BPF_STMT(BPF_RET | BPF_K, kAccept),
  };
}

std::vector<sock_filter> classic_ndp_filter() {
  return {
      // 0: what follows the IPv6 header? Plain traffic is neither and leaves after six instructions.
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kNextHeaderOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNextHeaderIcmpv6, 7, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNextHeaderHopByHop, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNextHeaderRouting, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNextHeaderFragment, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNextHeaderDestinationOptions, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kReject),
      // 7: an extension header: only NDP has hop limit 255; user space walks the headers.
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kHopLimitOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNdpHopLimit, 3, 8),
      // 9: ICMPv6: a Neighbor Solicitation or Advertisement?
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kIcmpv6TypeOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNeighborSolicitation, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kNeighborAdvertisement, 0, 5),
      // 12: for another MAC, our own, or of another VLAN?
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 2, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0fff, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kReject),
      BPF_STMT(BPF_RET | BPF_K, kAccept),
  };
}

std::vector<sock_filter> classic_heartbeat_filter() {
  return {
      // 0: a frame of ours by its type? Behind a tag in band it is another.
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kEtherTypeOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::kEtherTypeHeartbeat, 0, 5),
      // 2: for another MAC, our own, or of another VLAN?
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 2, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0fff, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kReject),
      BPF_STMT(BPF_RET | BPF_K, kAccept),
  };
}

AddressFilter::AddressFilter(bool wanted) {
  if (!wanted) {
    reason_ = "switched off";
    return;
  }
  ipv4_map_ = create_map("service_ipv4", kIpv4KeySize);
  if (ipv4_map_.valid()) ipv6_map_ = create_map("service_ipv6", kIpv6KeySize);
  if (ipv6_map_.valid()) arp_program_ = load_program(ebpf_arp_program(ipv4_map_.get()));
  if (arp_program_.valid()) ndp_program_ = load_program(ebpf_ndp_program(ipv6_map_.get()));
  if (!ndp_program_.valid()) {
    reason_ = std::string("bpf: ") + std::strerror(errno);
    return;
  }
  available_.store(true, std::memory_order_release);
}

bool AddressFilter::update(const IpTable& previous, const IpTable& next) {
  if (!available()) return false;
  bpf_attr attributes{};
  const uint8_t value = 1;
  attributes.flags = BPF_ANY;
  const auto name_element = [&](const wire::IpAddress& address) {
    const bool ipv4 = address.is_ipv4();
    attributes.map_fd = static_cast<uint32_t>((ipv4 ? ipv4_map_ : ipv6_map_).get());
    attributes.key = pointer(ipv4 ? address.ipv4() : address.ipv6());
  };
  attributes.value = pointer(&value);
  for (const IpTableEntry& entry : next.entries()) {
    if (previous.find(entry.address) != nullptr) continue;
    name_element(entry.address);
    if (bpf(BPF_MAP_UPDATE_ELEM, attributes) != 0) {
      reason_ = std::string("bpf: ") + std::strerror(errno);
      available_.store(false, std::memory_order_release);
      return false;
    }
  }
  attributes.value = 0;
  for (const IpTableEntry& entry : previous.entries()) {
    if (next.find(entry.address) != nullptr) continue;
    name_element(entry.address);
    bpf(BPF_MAP_DELETE_ELEM, attributes);
  }
  return true;
}

}  // namespace arpeggio
