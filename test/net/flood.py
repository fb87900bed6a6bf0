"""Sends frames as fast as asked: python3 flood.py INTERFACE RATE SECONDS, the frames in hex on standard input, a line each.

They are sent in turn, RATE of them a second. Says {"sent": N, "seconds": S} in the end.
"""
import json
import socket
import sys
import time

SLICE_S = 0.001


def main():
    interface, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    frames = [bytes.fromhex(line.strip()) for line in sys.stdin if line.strip()]
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, 0))
    sent = 0
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        for _ in range(int(elapsed * rate) - sent):
            try:
                sock.send(frames[sent % len(frames)])
            except OSError:
                pass  # A full queue: counted as sent, as on a wire.
            sent += 1
        time.sleep(SLICE_S)
    print(json.dumps({"sent": sent, "seconds": time.monotonic() - start}))


main()
