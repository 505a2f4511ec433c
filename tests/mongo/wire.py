"""MongoDB's wire protocol as far as a small server needs it: OP_MSG, OP_QUERY's first hello, OP_COMPRESSED with zlib."""
import socket
import struct
import threading
import zlib

import bson

OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2004, 2012, 2013
ZLIB = 2


def read_exactly(stream, count):
    """So many bytes, or fewer if the stream ends."""
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


class Request:
    """One command: its document, how to answer it, and whether it came compressed."""

    def __init__(self, stream):
        header = read_exactly(stream, 16)
        if len(header) < 16:
            raise EOFError
        length, self.id, _, self.code = struct.unpack("<iiii", header)
        body = read_exactly(stream, length - 16)
        self.compressed = self.code == OP_COMPRESSED
        if self.compressed:
            self.code, size, compressor = struct.unpack_from("<iiB", body)
            body = zlib.decompress(body[9:])
            assert compressor == ZLIB and len(body) == size, "not what was announced"
        if self.code == OP_MSG:
            self.document = self.sections(body[4:])
        elif self.code == OP_QUERY:
            name = body.index(b"\0", 4) + 1
            self.document = bson.decode(body[name + 8 :])
        else:
            raise ValueError(f"opcode {self.code}")
        self.command = next(iter(self.document))

    @staticmethod
    def sections(body):
        """The document of kind 0, with the lists of kind 1 in it."""
        document, at = {}, 0
        while at < len(body):
            kind = body[at]
            (size,) = struct.unpack_from("<i", body, at + 1)
            if kind == 0:
                document = {**bson.decode(body[at + 1 : at + 1 + size]), **document}
            else:
                name = body.index(b"\0", at + 5)
                document.setdefault(body[at + 5 : name].decode(), bson.decode_all(body[name + 1 : at + 1 + size]))
            at += 1 + size
        return dict(sorted(document.items(), key=lambda item: isinstance(item[1], list)))

    def answer(self, document):
        """The bytes of an answer."""
        document = {"ok": 1.0, **document}
        if self.code == OP_QUERY:
            body = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(document)
            return struct.pack("<iiii", 16 + len(body), 1, self.id, OP_REPLY) + body
        body = struct.pack("<iB", 0, 0) + bson.encode(document)
        code = OP_MSG
        if self.compressed:
            body = struct.pack("<iiB", OP_MSG, len(body), ZLIB) + zlib.compress(body)
            code = OP_COMPRESSED
        return struct.pack("<iiii", 16 + len(body), 1, self.id, code) + body


class Server:
    """Answers commands on a port of this host by what `serve(request)` returns: bytes to send, None to hang up at once, or
    bytes in a tuple, which are sent before it hangs up."""

    def __init__(self, port, serve, hello=None):
        self.serve, self.hello = serve, hello or {}
        self.seen, self.streams = [], set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.streams.add(stream)
            threading.Thread(target=self.converse, args=(stream,), daemon=True).start()

    def converse(self, stream):
        try:
            while True:
                request = Request(stream)
                self.seen.append(request)
                if request.command in ("hello", "ismaster", "isMaster"):
                    facts = {"isWritablePrimary": True, "ismaster": True, "helloOk": True, "minWireVersion": 0}
                    limits = {"maxWireVersion": 21, "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48_000_000}
                    stream.sendall(request.answer({**facts, **limits, "maxWriteBatchSize": 100_000, **self.hello}))
                    continue
                answer = self.serve(request)
                if answer is None:
                    return
                hangs_up = isinstance(answer, tuple)
                stream.sendall(answer[0] if hangs_up else answer)
                if hangs_up:
                    return
        except (EOFError, OSError):
            pass
        finally:
            self.streams.discard(stream)
            stream.close()

    def close(self):
        """Ends the listener and every connection."""
        # Closing alone does not end an accept that is under way, which would hold the port.
        self.listener.shutdown(socket.SHUT_RDWR)
        # None may be taken that is not ended below.
        self.accepting.join()
        self.listener.close()
        for stream in list(self.streams):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
