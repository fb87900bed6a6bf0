"""Forged heartbeats as fast as one socket sends them: python3 flood.py INTERFACE

Well-formed heartbeats of the cluster "test" with a MAC that no key made, each with another incarnation and sequence.
Prints how many it sends in each second. Ends by itself after 30 seconds.
"""
import hashlib
import socket
import struct
import sys
import time

GROUP = bytes.fromhex("036172706700")
ETHERTYPE = bytes.fromhex("88b5")
NAME = b"forged"
HEADER_SIZE = 43 + len(NAME)
BODY = bytes(4) + bytes(4) + struct.pack(">HBBB", 0, 0, 1, 0)
SIZE = HEADER_SIZE + len(BODY) + 16


def forge(source, number):
    header = b"ARPG" + struct.pack(">BBBBHH", 1, 0, 1, 1, SIZE, HEADER_SIZE) + hashlib.sha256(b"test").digest()[:8]
    header += struct.pack(">QQIBBB", (1 << 62) + number, number + 1, 50000, 3, 1, len(NAME)) + NAME
    return GROUP + source + ETHERTYPE + header + BODY + bytes(16)


def main():
    interface = sys.argv[1]
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, 0))
    source = sock.getsockname()[4][:6]
    frames = [forge(source, number) for number in range(1000)]
    end = time.monotonic() + 30
    since, sent = time.monotonic(), 0
    while time.monotonic() < end:
        for frame in frames:
            try:
                sock.send(frame)
                sent += 1
            except OSError:
                pass  # the queue is full
        now = time.monotonic()
        if now - since >= 0.25:
            print(int(sent / (now - since)), flush=True)
            since, sent = now, 0


main()
