// The limit that bench:answer measures against: a tc (clsact) program that turns each request into its reply in place
// and sends it back out, without a socket or a thread. It checks less than a responder must; it is a yardstick, not a
// design.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define bpf_htons(value) __builtin_bswap16(value)
#define bpf_htonl(value) __builtin_bswap32(value)

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;

struct address {
  __u8 bytes[16];
};

struct {
  int (*type)[BPF_MAP_TYPE_HASH];
  int (*max_entries)[16384];
  struct address *key;
  __u32 *value;
} service_ips SEC(".maps");

struct arp_frame {
  struct ethhdr ethernet;
  __be16 htype, ptype;
  __u8 hlen, plen;
  __be16 operation;
  __u8 sha[6];
  __u8 spa[4];
  __u8 tha[6];
  __u8 tpa[4];
} __attribute__((packed));

struct solicitation_frame {
  struct ethhdr ethernet;
  __be32 version;
  __be16 payload_length;
  __u8 next_header, hop_limit;
  struct address source, destination;
  __u8 type, code;
  __be16 checksum;
  __be32 flags;
  struct address target;
  __u8 option, option_length;
  __u8 link_layer_address[6];
} __attribute__((packed));

// The MAC that the bench gives to the responder's interface (bench/answer/bed.ts).
INLINE void own_mac(__u8 *to) {
  to[0] = 0x02, to[1] = 0, to[2] = 0, to[3] = 0, to[4] = 0x77, to[5] = 0x02;
}

INLINE int answer_arp(struct __sk_buff *skb, struct arp_frame *frame) {
  if (frame->operation != bpf_htons(1) || frame->htype != bpf_htons(1) || frame->ptype != bpf_htons(ETH_P_IP) ||
      frame->hlen != 6 || frame->plen != 4)
    return TC_ACT_OK;
  struct address key = {.bytes = {[10] = 0xff, [11] = 0xff}};
  __builtin_memcpy(key.bytes + 12, frame->tpa, 4);
  if (!bpf_map_lookup_elem(&service_ips, &key)) return TC_ACT_OK;

  __builtin_memcpy(frame->ethernet.h_dest, frame->ethernet.h_source, 6);
  own_mac(frame->ethernet.h_source);
  frame->operation = bpf_htons(2);
  __builtin_memcpy(frame->tha, frame->sha, 6);
  __builtin_memcpy(frame->tpa, frame->spa, 4);
  own_mac(frame->sha);
  __builtin_memcpy(frame->spa, key.bytes + 12, 4);
  return bpf_redirect(skb->ifindex, 0);
}

INLINE int answer_ndp(struct __sk_buff *skb, struct solicitation_frame *frame) {
  if (frame->next_header != 58 || frame->hop_limit != 255 || frame->type != 135 || frame->code != 0 ||
      frame->payload_length != bpf_htons(32) || frame->option != 1)
    return TC_ACT_OK;
  struct address target = frame->target;
  if (!bpf_map_lookup_elem(&service_ips, &target)) return TC_ACT_OK;

  __builtin_memcpy(frame->ethernet.h_dest, frame->ethernet.h_source, 6);
  own_mac(frame->ethernet.h_source);
  frame->destination = frame->source;
  frame->source = target;
  frame->type = 136;
  frame->flags = bpf_htonl(0x60000000);
  frame->option = 2;
  own_mac(frame->link_layer_address);
  frame->checksum = 0;
  __u32 sum = bpf_htons(32) + bpf_htons(58);
  __u16 *words = (__u16 *)&frame->source;
#pragma unroll
  for (int i = 0; i < 32; i += 1) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  frame->checksum = (__u16)~sum;
  return bpf_redirect(skb->ifindex, 0);
}

SEC("tc") int answer(struct __sk_buff *skb) {
  void *data = (void *)(long)skb->data;
  void *end = (void *)(long)skb->data_end;
  if (skb->protocol == bpf_htons(ETH_P_ARP)) {
    if (data + sizeof(struct arp_frame) > end) return TC_ACT_OK;
    return answer_arp(skb, data);
  }
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
    if (data + sizeof(struct solicitation_frame) > end) return TC_ACT_OK;
    return answer_ndp(skb, data);
  }
  return TC_ACT_OK;
}

char program_license[] SEC("license") = "GPL";
