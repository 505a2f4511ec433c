"""An origin for long and short answers: `origin.py PORT NAME` listens on this port of 127.0.0.1 and says `ready`.

GET /bytes/N/S   N bytes in S seconds, evenly
Upgrade          a WebSocket that echoes text frames of up to 125 bytes
anything else    200 with `from NAME`
"""

import asyncio
import base64
import hashlib
import sys

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STEPS_A_SECOND = 20


async def websocket(head, reader, writer):
    key = next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: " + accept + b"\r\n\r\n")
    while True:
        first, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(length & 127)))
        if first & 15 == 8:
            writer.write(bytes([0x88, len(text)]) + text)
            await writer.drain()
            return
        writer.write(bytes([first, len(text)]) + text)
        await writer.drain()


async def download(path, writer):
    _, _, length, seconds = path.split("/")
    length, steps = int(length), max(1, int(float(seconds) * STEPS_A_SECOND))
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length)
    sent = 0
    for step in range(steps):
        upto = length * (step + 1) // steps
        writer.write(b"x" * (upto - sent))
        sent = upto
        await writer.drain()
        if step + 1 < steps:
            await asyncio.sleep(1 / STEPS_A_SECOND)


async def serve(name, reader, writer):
    body = f"from {name}\n".encode()
    small = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            if path.startswith("/bytes/"):
                await download(path, writer)
            elif b"\nupgrade: websocket" in head.lower():
                await websocket(head, reader, writer)
                return
            else:
                writer.write(small)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    port, name = int(sys.argv[1]), sys.argv[2]
    server = await asyncio.start_server(lambda r, w: serve(name, r, w), "127.0.0.1", port, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
