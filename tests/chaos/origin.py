"""An origin that does what its standard input says, a word a line, and answers each with the word once it does it.

serve     answers every request with 200 and a short body
slow MS   the same, so many milliseconds later
error     answers with 503
hang      reads requests and says nothing
close     ends the connection when a request has come
reset     the same, with a reset

To die, it is killed. `origin.py PORT [NAME]` listens on this port of 127.0.0.1.
"""

import asyncio
import socket
import struct
import sys


class Origin:
    def __init__(self, name):
        body = f"from {name}\n".encode()
        self.good = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        self.bad = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
        self.mode, self.pause = "serve", 0.0


class Connection(asyncio.Protocol):
    def __init__(self, origin):
        self.origin, self.pending = origin, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            _, self.pending = self.pending.split(b"\r\n\r\n", 1)
            self.request()

    def request(self):
        origin = self.origin
        if origin.mode == "serve":
            self.transport.write(origin.good)
        elif origin.mode == "slow":
            asyncio.get_running_loop().call_later(origin.pause, self.answer, origin.good)
        elif origin.mode == "error":
            self.transport.write(origin.bad)
        elif origin.mode == "close":
            self.transport.close()
        elif origin.mode == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def answer(self, what):
        if not self.transport.is_closing():
            self.transport.write(what)


async def main():
    port, name = int(sys.argv[1]), (sys.argv[2:] or ["origin"])[0]
    origin = Origin(name)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(origin), "127.0.0.1", port, reuse_address=True, backlog=4096)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    while line := await reader.readline():
        mode, *rest = line.decode().split()
        origin.mode = mode
        origin.pause = float(rest[0]) / 1000 if rest else 0.0
        print(mode, flush=True)


asyncio.run(main())
