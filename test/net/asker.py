"""Asks for addresses by raw frames: python3 asker.py INTERFACE INTERVAL_MS MAC IPV4 IPV6 ADDRESS...

Sends an ARP request (RFC 826) or a Neighbor Solicitation (RFC 4861 4.3) for each ADDRESS every INTERVAL_MS, to all, from
the interface's own MAC and addresses, so that the host's kernel answers whoever asks back. An answer is an ARP reply to us,
or an NA with the S flag: announcements are none. It serves every question that was open. One JSON object per line:

  in   {"report": [FROM_MS, TO_MS]}   CLOCK_MONOTONIC
  out  {"ready": true}
       {"reports": {ADDRESS: {"asked": N, "unanswered": N, "longestWaitMs": X, "longestPauseMs": X,
                              "answeredBy": [{"mac": MAC, "sinceMs": X, "answers": N}]}}}

longestWaitMs is the longest time from a question of the window to the next answer, whenever that came; questions that
nobody has answered yet wait until now. It ends when its standard input does.
"""
import ctypes
import ipaddress
import json
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
PACKET_OUTGOING = 4
BROADCAST = b"\xff" * 6
SOLICITED = 0x40


def now_ms():
    return time.monotonic_ns() / 1e6


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp_request(mac, source, target):
    return BROADCAST + mac + b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + mac + source + bytes(6) + target


def solicitation(mac, source, target):
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    body = bytes(4) + target + b"\x01\x01" + mac
    length = 4 + len(body)
    pseudo = source + group + struct.pack("!I", length) + b"\x00\x00\x00\x3a"
    message = b"\x87\x00" + struct.pack("!H", checksum(pseudo + b"\x87\x00\x00\x00" + body)) + body
    header = b"\x60\x00\x00\x00" + struct.pack("!H", length) + b"\x3a\xff" + source + group
    return b"\x33\x33" + group[12:] + mac + b"\x86\xdd" + header + message


class Asked:
    def __init__(self, mac, ipv4, ipv6, address):
        six = len(address) == 16
        self.frame = solicitation(mac, ipv6, address) if six else arp_request(mac, ipv4, address)
        self.questions = []  # [time, wait]; wait None: open
        self.first_open = 0
        self.answers = []  # (time, mac)

    def answered(self, at, mac):
        self.answers.append((at, mac))
        for question in self.questions[self.first_open :]:
            question[1] = at - question[0]
        self.first_open = len(self.questions)

    def report(self, begin, end):
        now = now_ms()
        window = [question for question in self.questions if begin <= question[0] < end]
        waits = [now - at if wait is None else wait for at, wait in window]
        pauses = [later[0] - earlier[0] for earlier, later in zip(window, window[1:])]
        by = []
        for at, mac in self.answers:
            if not begin <= at < end:
                continue
            if by and by[-1]["mac"] == mac:
                by[-1]["answers"] += 1
            else:
                by.append({"mac": mac, "sinceMs": at, "answers": 1})
        return {
            "asked": len(window),
            "unanswered": sum(wait is None for _, wait in window),
            "longestWaitMs": max(waits, default=0),
            "longestPauseMs": max(pauses, default=0),
            "answeredBy": by,
        }


def answered_address(frame, mac):
    """The address that this frame answers for, or None."""
    if frame[:6] != mac:
        return None
    if frame[12:22] == b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02":
        return frame[28:32]
    if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136 and frame[58] & SOLICITED:
        return frame[62:78]
    return None


def only_to_us(sock):
    """A flood of announcements must not keep this program from its questions."""
    # ld pkttype; jeq #PACKET_HOST, accept; drop
    steps = [(0x30, 0, 0, 0xFFFFF004), (0x15, 0, 1, 0), (0x06, 0, 0, 65535), (0x06, 0, 0, 0)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(steps), ctypes.addressof(program)))


def main():
    interface, interval_text, mac_text, ipv4_text, ipv6_text, *names = sys.argv[1:]
    interval = float(interval_text)
    mac = bytes.fromhex(mac_text.replace(":", ""))
    ipv4, ipv6 = ipaddress.ip_address(ipv4_text).packed, ipaddress.ip_address(ipv6_text).packed
    packed = {ipaddress.ip_address(name).packed: name for name in names}
    asked = {address: Asked(mac, ipv4, ipv6, address) for address in packed}
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    only_to_us(sock)
    sock.bind((interface, ETH_P_ALL))
    sock.setblocking(False)
    print(json.dumps({"ready": True}), flush=True)
    due = now_ms()
    pending = b""
    while True:
        readable, _, _ = select.select([sys.stdin.fileno(), sock], [], [], max(0, due - now_ms()) / 1000)
        while sock in readable:
            try:
                frame, address = sock.recvfrom(2048)
            except BlockingIOError:
                break
            target = None if address[2] == PACKET_OUTGOING or len(frame) < 42 else answered_address(frame, mac)
            if target in asked:
                asked[target].answered(now_ms(), frame[6:12].hex(":"))
        now = now_ms()
        if now >= due:
            # After a pause of ours the schedule goes on from now.
            due = max(due + interval, now)
            for entry in asked.values():
                entry.questions.append([now, None])
                try:
                    sock.send(entry.frame)
                except OSError:
                    pass  # Such as a link that is down: a question that nobody hears.
        if sys.stdin.fileno() in readable:
            chunk = sys.stdin.buffer.raw.read(65536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                begin, end = json.loads(line)["report"]
                reports = {name: asked[address].report(begin, end) for address, name in packed.items()}
                print(json.dumps({"reports": reports}), flush=True)


main()
