// The Go peer of bench:answer: what a well-written responder on the usual Go libraries does. One loop, one map
// look-up per request. ARP by mdlayher/arp, as MetalLB; NDP by mdlayher/packet on raw frames, because the kernel hands
// no unicast solicitation to the raw ICMPv6 socket of mdlayher/ndp, and parsing into its message types costs more.
package main

import (
	"encoding/binary"
	"flag"
	"log"
	"net"
	"syscall"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/packet"
)

const (
	serviceBase4  = 0x0a4d0100 // as in bench/generator/frames.h
	serviceBase6  = 0x000a0000
	etherTypeIPv6 = 0x86dd
	ndpLength     = 86 // Ethernet, IPv6, NS or NA, one link-layer address option
)

func main() {
	name := flag.String("interface", "", "interface to answer on")
	family := flag.String("family", "arp", "arp or ndp")
	addresses := flag.Int("addresses", 1, "how many service IPs")
	flag.Parse()
	ifi, err := net.InterfaceByName(*name)
	if err != nil {
		log.Fatal(err)
	}
	if *family == "arp" {
		log.Fatal(answerARP(ifi, *addresses))
	}
	log.Fatal(answerNDP(ifi, *addresses))
}

func answerARP(ifi *net.Interface, addresses int) error {
	table := make(map[[4]byte]struct{}, addresses)
	for index := 0; index < addresses; index++ {
		var address [4]byte
		binary.BigEndian.PutUint32(address[:], serviceBase4+uint32(index))
		table[address] = struct{}{}
	}
	client, err := arp.Dial(ifi)
	if err != nil {
		return err
	}
	for {
		request, _, err := client.Read()
		if err != nil {
			return err
		}
		if request.Operation != arp.OperationRequest {
			continue
		}
		target := request.TargetIP.To4()
		if _, ours := table[[4]byte(target)]; !ours {
			continue
		}
		// A full queue at the peer (ENOBUFS) loses that reply, nothing else.
		_ = client.Reply(request, ifi.HardwareAddr, target)
	}
}

func answerNDP(ifi *net.Interface, addresses int) error {
	table := make(map[[16]byte]struct{}, addresses)
	for index := 0; index < addresses; index++ {
		address := [16]byte{0: 0xfd, 1: 0x77}
		binary.BigEndian.PutUint32(address[12:], serviceBase6+uint32(index))
		table[address] = struct{}{}
	}
	if err := joinGroups(ifi, addresses); err != nil {
		return err
	}
	socket, err := packet.Listen(ifi, packet.Raw, etherTypeIPv6, nil)
	if err != nil {
		return err
	}
	request := make([]byte, 2048)
	reply := make([]byte, ndpLength)
	for {
		length, _, err := socket.ReadFrom(request)
		if err != nil {
			return err
		}
		if length < ndpLength || request[20] != 58 || request[21] != 255 || request[54] != 135 || checksum(request) != 0 {
			continue
		}
		if _, ours := table[[16]byte(request[62:78])]; !ours {
			continue
		}
		advertise(reply, request, ifi.HardwareAddr)
		_, _ = socket.WriteTo(reply, &packet.Addr{HardwareAddr: net.HardwareAddr(request[6:12])})
	}
}

// joinGroups joins the solicited-node group of every address (RFC 4291 2.7.1), as snooping switches demand.
func joinGroups(ifi *net.Interface, addresses int) error {
	fd := -1
	for index := 0; index < addresses; {
		group := &syscall.IPv6Mreq{Interface: uint32(ifi.Index)}
		copy(group.Multiaddr[:], net.ParseIP("ff02::1:ff00:0"))
		low := serviceBase6 + uint32(index)
		group.Multiaddr[13], group.Multiaddr[14], group.Multiaddr[15] = byte(low>>16), byte(low>>8), byte(low)
		var err error = syscall.ENOMEM
		if fd >= 0 {
			err = syscall.SetsockoptIPv6Mreq(fd, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP, group)
		}
		if err == syscall.ENOMEM {
			// optmem_max bounds the groups of one socket: go on with another. It is closed at the end of the process.
			if fd, err = syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		index++
	}
	return nil
}

// advertise fills in the solicited Neighbor Advertisement that answers the request (RFC 4861 7.2.4).
func advertise(reply, request []byte, mac net.HardwareAddr) {
	copy(reply[0:6], request[6:12])
	copy(reply[6:12], mac)
	copy(reply[12:22], request[12:22])
	reply[14], reply[15], reply[16], reply[17] = 0x60, 0, 0, 0
	copy(reply[22:38], request[62:78])
	copy(reply[38:54], request[22:38])
	reply[54], reply[55], reply[56], reply[57] = 136, 0, 0, 0
	binary.BigEndian.PutUint32(reply[58:], 0x60000000) // solicited, override
	copy(reply[62:78], request[62:78])
	reply[78], reply[79] = 2, 1
	copy(reply[80:86], mac)
	binary.BigEndian.PutUint16(reply[56:], checksum(reply))
}

// checksum of the ICMPv6 message with its pseudo-header; 0 over a right message.
func checksum(frame []byte) uint16 {
	sum := uint32(ndpLength-54) + 58
	for at := 22; at < ndpLength; at += 2 {
		sum += uint32(frame[at])<<8 | uint32(frame[at+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
