// Why a frame was not answered. Every ignored frame has exactly one of these names; each has a counter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arpeggio {

// X(enumerator, name in counters and vectors). The order of checks in reply.cc decides which name a frame gets that
// fails in several ways: link level first, then syntax, then meaning, then the table.
#define ARPEGGIO_DROP_REASONS(X)                                                                    \
  /* Link level */                                                                                  \
  X(kOutgoing, "outgoing")                     /* PACKET_OUTGOING: sent by this host */             \
  X(kOtherHost, "other-host")                  /* PACKET_OTHERHOST: for another MAC, or a VLAN */   \
  X(kOtherVlan, "other-vlan")                  /* VLAN tag with an id other than 0 */               \
  X(kTruncated, "truncated")                   /* shorter than its headers say */                   \
  X(kOtherEtherType, "other-ethertype")        /* neither ARP nor IPv6 */                           \
  X(kOtherDestination, "other-destination")    /* Ethernet destination is not ours */               \
  X(kOwnFrame, "own-frame")                    /* a MAC of this node sent it: looped back */        \
  /* ARP, RFC 826 */                                                                                \
  X(kBadHardwareType, "bad-hardware-type")     /* htype is neither 1 nor 6 */                       \
  X(kBadProtocolType, "bad-protocol-type")     /* ptype is not 0x0800 */                            \
  X(kBadAddressLength, "bad-address-length")   /* hlen is not 6 or plen is not 4 */                 \
  X(kSenderNotUnicast, "sender-not-unicast")   /* sha, spa, SLLAO or IPv6 source no unicast */      \
  X(kTargetNotUnicast, "target-not-unicast")   /* tpa or target is multicast, loopback, 0 or :: */  \
  X(kNotARequest, "not-a-request")             /* op is not 1; ICMPv6 type is not 135 */            \
  /* IPv6 and NDP, RFC 4861 7.1.1, 7.1.2 */                                                         \
  X(kBadIpv6Header, "bad-ipv6-header")         /* version is not 6 */                               \
  X(kFragmented, "fragmented")                 /* RFC 6980: fragmented NDP is ignored */            \
  X(kOtherProtocol, "other-protocol")          /* not ICMPv6, or an extension header we do not walk */ \
  X(kBadHopLimit, "bad-hop-limit")             /* hop limit is not 255: came through a router */    \
  X(kBadChecksum, "bad-checksum")              /* ICMPv6 checksum */                                \
  X(kBadCode, "bad-code")                      /* ICMPv6 code is not 0 */                           \
  X(kBadFlag, "bad-flag")                      /* NA to a multicast address with S=1 */             \
  X(kBadOption, "bad-option")                  /* option of length 0, or past the end */            \
  X(kBadUnspecifiedSource, "bad-unspecified-source") /* source :: not to the solicited-node group, or with SLLAO */ \
  /* Table */                                                                                       \
  X(kAddressNotAnnounced, "address-not-announced")   /* not in the table */                         \
  X(kInterfaceNotSelected, "interface-not-selected") /* in the table, not for this interface */     \
  X(kRival, "rival")                           /* somebody else uses the address; reported */       \
  X(kConfirmation, "confirmation")             /* a client answers a service IP at our MAC; counted */ \
  X(kNotAnswering, "not-answering")            /* in the table, but held back: probing, conflict */ \
  X(kTentative, "tentative")                   /* DAD for an address that we do not hold for sure */ \
  X(kTableExpired, "table-expired")            /* the control plane did not renew the table */      \
  X(kHeld, "held")                             /* others may have taken over while we were deaf */  \
  /* Heartbeat protocol; HeartbeatRefusal of src/responder/types.ts names the same */               \
  X(kHeartbeatMalformed, "heartbeat-malformed")             /* a field or a length is impossible */ \
  X(kHeartbeatVersion, "heartbeat-version")                 /* of another major version */          \
  X(kHeartbeatCluster, "heartbeat-cluster")                 /* of another cluster */                \
  X(kHeartbeatUnauthenticated, "heartbeat-unauthenticated") /* no MAC but a key, or the reverse */  \
  X(kHeartbeatForged, "heartbeat-forged")                   /* its MAC is that of none of our keys */ \
  X(kHeartbeatReplayed, "heartbeat-replayed")               /* its sequence was heard already */    \
  X(kHeartbeatOldIncarnation, "heartbeat-old-incarnation")  /* its sender has been started anew */

enum class DropReason : uint8_t {
#define X(enumerator, name) enumerator,
  ARPEGGIO_DROP_REASONS(X)
#undef X
};

inline constexpr const char* kDropReasonNames[] = {
#define X(enumerator, name) name,
    ARPEGGIO_DROP_REASONS(X)
#undef X
};

inline constexpr size_t kDropReasonCount = sizeof(kDropReasonNames) / sizeof(kDropReasonNames[0]);

}  // namespace arpeggio
