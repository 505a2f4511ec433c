"""Takes WebSockets of HTTP/1.1 and opens each as one of HTTP/2, for clients that speak HTTP/1.1 only. Needs h2."""
import base64
import hashlib
import select
import socket
import threading

import h2raw
from h2raw import h2
from results import PATIENCE

# RFC 6455 section 1.3.
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# What belongs to HTTP/1.1's way of asking.
ITS_OWN = ("host", "upgrade", "connection", "sec-websocket-key")


class Bridge:
    """Listens on a port that the kernel chooses, and leads to a port of HTTP/2 in plain text, each WebSocket on a connection
    of its own."""

    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        client = h2raw.Client(self.to)
        try:
            self.converse(near, client)
        except (h2raw.Gone, OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            near.close()
            client.close()

    def converse(self, near, client):
        near.settimeout(PATIENCE)
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(65536)
            if not data:
                return
            head += data
        head, kept = head.split(b"\r\n\r\n", 1)
        line, *rows = head.decode("latin-1").split("\r\n")
        fields = [(name.lower(), value.strip()) for name, value in (row.split(":", 1) for row in rows)]
        given = dict(fields)
        passed = [(name, value) for name, value in fields if name not in ITS_OWN]
        client.greet()
        stream = client.request("CONNECT", given["host"], line.split(" ")[1], passed, end=False, protocol="websocket")
        client.until(lambda: stream.headers or stream.over, "the answer to a CONNECT")
        if stream.status != 200:
            near.sendall(f"HTTP/1.1 {stream.status or 502} Refused\r\nconnection: close\r\n\r\n".encode())
            return
        accept = base64.b64encode(hashlib.sha1((given["sec-websocket-key"] + GUID).encode()).digest()).decode()
        answer = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade"]
        answer.append(f"sec-websocket-accept: {accept}")
        ours = ("sec-websocket-accept",)
        answer += [f"{name}: {value}" for name, value in stream.headers if name[0] != ":" and name not in ours]
        near.sendall("\r\n".join([*answer, "", ""]).encode())
        self.relay(near, client, stream, kept)

    def relay(self, near, client, stream, kept):
        """Until both ways have ended, or one of them badly."""
        near_ended, far_ended = False, False
        number = stream.number
        while not (near_ended and far_ended):
            room = min(client.h2.local_flow_control_window(number), client.h2.max_outbound_frame_size)
            if kept and room > 0:
                client.send(number, kept[:room])
                kept = kept[room:]
                continue
            waits = [client.socket] + ([near] if not (near_ended or kept) else [])
            for ready in select.select(waits, [], [], PATIENCE)[0]:
                if ready is near:
                    kept = near.recv(1 << 16)
                    if not kept:
                        near_ended = True
                        client.end(number)
                else:
                    client.pump()
            if stream.data:
                near.sendall(stream.data)
                stream.data.clear()
            if stream.reset is not None:
                return
            if stream.ended and not far_ended:
                far_ended = True
                near.shutdown(socket.SHUT_WR)
