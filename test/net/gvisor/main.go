// A client on another network stack than Linux's: gVisor's netstack on a packet socket of one interface. Sends every
// address a numbered UDP datagram every few milliseconds and tells on standard output, a JSON object per line, what its
// neighbour table does and whose MAC the echoes carry. On the end of its standard input it says what became of the
// datagrams and ends. The kernel must have no addresses on the interface, and keeps silent then.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/nested"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const (
	nic = tcpip.NICID(1)
	mtu = 1500
	// An echo still under way when the input ends may yet come.
	lastEchoes = 150 * time.Millisecond
)

// line is what is told; times are CLOCK_MONOTONIC, comparable between the namespaces of one machine.
type line struct {
	Type    string `json:"type"` // ready, neighbour, echo (the first one, and each from another MAC than the last), counts
	Address string `json:"address,omitempty"`
	MAC     string `json:"mac,omitempty"`
	State   string `json:"state,omitempty"`
	Ns      int64  `json:"ns"`
	Sent    int    `json:"sent,omitempty"`
	Echoed  int    `json:"echoed,omitempty"`
}

var (
	outputLock sync.Mutex
	output     = json.NewEncoder(os.Stdout)
)

func tell(what line) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		log.Fatal(err)
	}
	outputLock.Lock()
	defer outputLock.Unlock()
	what.Ns = now.Nano()
	if err := output.Encode(what); err != nil {
		os.Exit(1)
	}
}

// neighbours tells every change of the neighbour table.
type neighbours struct{}

func (neighbours) told(state string, entry stack.NeighborEntry) {
	tell(line{Type: "neighbour", Address: entry.Addr.String(), MAC: entry.LinkAddr.String(), State: state})
}

func (n neighbours) OnNeighborAdded(_ tcpip.NICID, e stack.NeighborEntry) {
	n.told(e.State.String(), e)
}
func (n neighbours) OnNeighborChanged(_ tcpip.NICID, e stack.NeighborEntry) {
	n.told(e.State.String(), e)
}
func (n neighbours) OnNeighborRemoved(_ tcpip.NICID, e stack.NeighborEntry) { n.told("Removed", e) }

// witness sits between the packet socket and the stack and notes whose MAC the UDP datagrams of an address carry.
type witness struct {
	nested.Endpoint
	lock sync.Mutex
	last map[tcpip.Address]tcpip.LinkAddress
}

func (w *witness) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, packet *stack.PacketBuffer) {
	frame := packet.ToView().AsSlice()
	if source, ok := udpSource(frame); ok {
		mac := header.Ethernet(frame).SourceAddress()
		w.lock.Lock()
		if w.last[source] != mac {
			w.last[source] = mac
			tell(line{Type: "echo", Address: source.String(), MAC: mac.String()})
		}
		w.lock.Unlock()
	}
	w.Endpoint.DeliverNetworkPacket(protocol, packet)
}

func udpSource(frame []byte) (source tcpip.Address, ok bool) {
	if len(frame) < header.EthernetMinimumSize {
		return source, false
	}
	packet := frame[header.EthernetMinimumSize:]
	switch header.Ethernet(frame).Type() {
	case header.IPv4ProtocolNumber:
		ip := header.IPv4(packet)
		if len(packet) >= header.IPv4MinimumSize && ip.TransportProtocol() == header.UDPProtocolNumber {
			return ip.SourceAddress(), true
		}
	case header.IPv6ProtocolNumber:
		ip := header.IPv6(packet)
		if len(packet) >= header.IPv6MinimumSize && ip.TransportProtocol() == header.UDPProtocolNumber {
			return ip.SourceAddress(), true
		}
	}
	return source, false
}

// packetSocket on the interface, for all frames but our own.
func packetSocket(ifi *net.Interface) int {
	everything := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	must(err)
	must(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	must(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: ifi.Index}))
	// The IPv6 groups that the stack joins are its own affair: the socket must hear them all.
	all := &unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_ALLMULTI}
	must(unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, all))
	return fd
}

func newStack(ifi *net.Interface, prefixes []netip.Prefix) *stack.Stack {
	network := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{udp.NewProtocol},
		NUDDisp:            neighbours{},
	})
	link, err := fdbased.New(&fdbased.Options{
		FDs:            []int{packetSocket(ifi)},
		MTU:            mtu,
		EthernetHeader: true,
		Address:        tcpip.LinkAddress(ifi.HardwareAddr),
		// Between namespaces the kernel leaves checksums to a hardware that does not exist.
		RXChecksumOffload:  true,
		PacketDispatchMode: fdbased.RecvMMsg,
	})
	must(err)
	watched := &witness{last: map[tcpip.Address]tcpip.LinkAddress{}}
	watched.Init(link, watched)
	check(network.CreateNIC(nic, watched))
	for _, prefix := range prefixes {
		protocol := protocolOf(prefix.Addr())
		address := tcpip.AddrFromSlice(prefix.Addr().AsSlice())
		own := tcpip.ProtocolAddress{
			Protocol:          protocol,
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: address, PrefixLen: prefix.Bits()},
		}
		check(network.AddProtocolAddress(nic, own, stack.AddressProperties{}))
		network.AddRoute(tcpip.Route{Destination: own.AddressWithPrefix.Subnet(), NIC: nic})
	}
	return network
}

func protocolOf(address netip.Addr) tcpip.NetworkProtocolNumber {
	if address.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// stream sends numbered datagrams until stop is closed, and tells afterwards how many came back.
func stream(network *stack.Stack, target netip.AddrPort, interval time.Duration, stop <-chan struct{}) {
	remote := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(target.Addr().AsSlice()), Port: target.Port()}
	connection, err := gonet.DialUDP(network, nil, &remote, protocolOf(target.Addr()))
	must(err)
	echoed := make(chan int, 1)
	go func() {
		seen := map[uint32]bool{}
		message := make([]byte, mtu)
		for {
			length, err := connection.Read(message)
			if err != nil && connectionEnded(err) {
				echoed <- len(seen)
				return
			}
			// The backend signs its echoes behind the number.
			if err == nil && length >= 4 {
				seen[binary.BigEndian.Uint32(message)] = true
			}
		}
	}()
	sent := 0
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// An unresolved neighbour or a refused port: that datagram is lost, which is what is counted.
			_, _ = connection.Write(binary.BigEndian.AppendUint32(nil, uint32(sent)))
			sent++
		case <-stop:
			must(connection.SetReadDeadline(time.Now().Add(lastEchoes)))
			tell(line{Type: "counts", Address: target.Addr().String(), Sent: sent, Echoed: <-echoed})
			return
		}
	}
}

func connectionEnded(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return err == io.EOF || (ok && timeout.Timeout())
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func check(err tcpip.Error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Arguments behind the flags: own addresses with prefix length, and targets with port.
func main() {
	name := flag.String("interface", "eth0", "interface to live on; its MAC is the stack's")
	interval := flag.Duration("interval", 5*time.Millisecond, "between two datagrams to a target")
	flag.Parse()
	var prefixes []netip.Prefix
	var targets []netip.AddrPort
	for _, argument := range flag.Args() {
		if prefix, err := netip.ParsePrefix(argument); err == nil {
			prefixes = append(prefixes, prefix)
			continue
		}
		target, err := netip.ParseAddrPort(argument)
		must(err)
		targets = append(targets, target)
	}
	ifi, err := net.InterfaceByName(*name)
	must(err)
	network := newStack(ifi, prefixes)
	tell(line{Type: "ready"})

	stop := make(chan struct{})
	var streams sync.WaitGroup
	for _, target := range targets {
		streams.Add(1)
		go func() {
			defer streams.Done()
			stream(network, target, *interval, stop)
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	close(stop)
	streams.Wait()
}
