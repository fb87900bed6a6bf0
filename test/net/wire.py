"""Raw Ethernet frames for the network tests: python3 wire.py INTERFACE [ETHERTYPE...]

Runs inside a client's namespace. Captures every frame of the given EtherTypes (hex; default 0806 86dd; 0 stands for
all) that the interface sees, the kernel's own included, and sends what it is told. One JSON object per line:

  in   {"send": HEX}       a whole frame as it shall be on the wire, an 802.1Q tag in band included; nothing is padded
  out  {"ready": true}     once it captures
       {"sent": NS}        after each send, CLOCK_MONOTONIC
       {"error": TEXT}     when a send fails
       {"frame": HEX, "ns": NS, "kernelNs": NS, "type": PKT_TYPE, "vlan": TCI | null}

"ns" is when this program had the frame, "kernelNs" when the kernel had it, both CLOCK_MONOTONIC.
The kernel strips 802.1Q tags before a packet socket sees a frame; "vlan" is the tag it stripped.
It ends when its standard input does.
"""
import ctypes
import json
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
SO_RCVBUFFORCE = 33
PACKET_AUXDATA = 8
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
TIMESTAMP = struct.Struct("@qq")
TP_STATUS_VLAN_VALID = 1 << 4
AUXDATA = struct.Struct("=IIIHHHH")
MAX_FRAME = 65536
PKT_TYPES = ("host", "broadcast", "multicast", "otherhost", "outgoing")


def tell(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def vlan_of(ancillary):
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = AUXDATA.unpack(data[: AUXDATA.size])
            return tci if status & TP_STATUS_VLAN_VALID else None
    return None


def wall_offset():
    """Wall clock less monotonic clock, though this program may lose the processor between the two readings."""
    tries = []
    for _ in range(3):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        tries.append((after - before, wall - before))
    return min(tries)[1]


def kernel_time_of(ancillary, now):
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESTAMP.unpack(data[: TIMESTAMP.size])
            return seconds * 1_000_000_000 + nanoseconds - wall_offset()
    return now


def receive(sock, ethertypes):
    space = socket.CMSG_SPACE(AUXDATA.size) + socket.CMSG_SPACE(TIMESTAMP.size)
    frame, ancillary, _, address = sock.recvmsg(MAX_FRAME, space)
    now = time.monotonic_ns()
    kernel_ns = kernel_time_of(ancillary, now)
    if 0 not in ethertypes and int.from_bytes(frame[12:14], "big") not in ethertypes:
        return
    kind = PKT_TYPES[address[2]] if address[2] < len(PKT_TYPES) else str(address[2])
    tell({"frame": frame.hex(), "ns": now, "kernelNs": kernel_ns, "type": kind, "vlan": vlan_of(ancillary)})


def obey(sock, line):
    try:
        sock.send(bytes.fromhex(json.loads(line)["send"]))
    except (OSError, ValueError, KeyError) as error:
        tell({"error": str(error)})
    else:
        tell({"sent": time.monotonic_ns()})


def reject_others(sock, ethertypes):
    """Has the kernel drop what nobody asked for: a burst of it would push out what somebody did."""
    wanted = [*ethertypes, 0x8100, 0x88A8]
    code = [(0x28, 0, 0, 12)]  # the EtherType; behind a tag in band it is looked at later
    code += [(0x15, len(wanted) - index, 0, ethertype) for index, ethertype in enumerate(wanted)]
    code += [(0x06, 0, 0, 0), (0x06, 0, 0, MAX_FRAME)]
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(program)
    fprog = struct.pack("@HP", len(code), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)


def enlarge_buffer(sock):
    """For a burst of 10,000 announcements and more; an ordinary user gets what net.core.rmem_max permits."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)


def main():
    interface = sys.argv[1]
    ethertypes = {int(text, 16) for text in sys.argv[2:] or ("0806", "86dd")}
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    enlarge_buffer(sock)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if 0 not in ethertypes:
        reject_others(sock, ethertypes)
    sock.bind((interface, ETH_P_ALL))
    tell({"ready": True})
    pending = b""
    while True:
        readable, _, _ = select.select([sys.stdin.fileno(), sock], [], [])
        if sock in readable:
            receive(sock, ethertypes)
        if sys.stdin.fileno() in readable:
            chunk = sys.stdin.buffer.raw.read(MAX_FRAME)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                obey(sock, line)


main()
