"""A client and an origin of HTTP/2 that say exactly what they got, and send what they are told to. Needs h2."""
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from results import PATIENCE

# Larger than what any case sends without being read.
WINDOW = 1 << 20


class Gone(Exception):
    """The other side has ended the connection."""


class Stream:
    """What has come on one stream."""

    def __init__(self, number):
        self.number = number
        self.informational, self.headers, self.trailers = [], None, None
        self.data, self.ended, self.reset = bytearray(), False, None

    @property
    def status(self):
        return self.headers and int(self.field(":status"))

    @property
    def over(self):
        return self.ended or self.reset is not None

    def field(self, name):
        return next((value for key, value in self.headers or [] if key == name), None)

    def trailer(self, name):
        return next((value for key, value in self.trailers or [] if key == name), None)


class Connection:
    """One side of a connection; it reads only when it is told to."""

    def __init__(self, stream, is_client):
        # What is sent may be against the rules on purpose; what comes is checked.
        config = h2.config.H2Configuration(
            client_side=is_client,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.socket, self.h2, self.streams = stream, h2.connection.H2Connection(config), {}
        self.goaway, self.pings, self.greeted = None, 0, False
        self.new = []  # Streams of the other side that nobody has taken yet.
        self.socket.settimeout(PATIENCE)
        # One that reads and one that answers may be two threads.
        self.lock = threading.RLock()

    def begin(self, settings=None):
        self.h2.initiate_connection()
        if settings:
            # They count from their acknowledgement on: until then the other side does not know them.
            self.h2.update_settings(settings)
        self.h2.increment_flow_control_window(WINDOW)
        self.flush()

    def flush(self):
        with self.lock:
            data = self.h2.data_to_send()
            if data:
                self.socket.sendall(data)

    def pump(self):
        """Reads once."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise AssertionError("nothing came") from None
        with self.lock:
            if not data:
                raise Gone("the connection was closed")
            for event in self.h2.receive_data(data):
                self.take(event)
            self.flush()

    def until(self, holds, what):
        """Reads until this holds."""
        while not holds():
            try:
                self.pump()
            except (AssertionError, Gone, OSError) as error:
                raise AssertionError(f"{what}: {error}; goaway: {self.goaway}") from error

    def stream(self, number):
        return self.streams.setdefault(number, Stream(number))

    def take(self, event):
        stream = self.stream(event.stream_id) if getattr(event, "stream_id", None) else None
        if isinstance(event, h2.events.RequestReceived):
            stream.headers = list(event.headers)
            self.new.append(stream)
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = list(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.informational.append(list(event.headers))
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = list(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream.data += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.greeted = True

    def headers(self, number, fields, end=False):
        with self.lock:
            self.h2.send_headers(number, fields, end_stream=end)
            self.flush()

    def send(self, number, data, end=False):
        """Sends within the windows; reads when they are used up."""
        data = memoryview(bytes(data))
        while data:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if room <= 0:
                self.pump()
                continue
            with self.lock:
                self.h2.send_data(number, bytes(data[:room]))
                self.flush()
            data = data[room:]
        if end:
            self.end(number)

    def end(self, number):
        with self.lock:
            self.h2.end_stream(number)
            self.flush()

    def cancel(self, number, code=h2.errors.ErrorCodes.CANCEL):
        with self.lock:
            self.h2.reset_stream(number, code)
            self.flush()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Client(Connection):
    """A client; with an authority's file by TLS, to a server of this name."""

    def __init__(self, port, name=None, authority=None, settings=None):
        stream = socket.create_connection(("127.0.0.1", port), PATIENCE)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if authority:
            context = ssl.create_default_context(cafile=authority)
            context.set_alpn_protocols(["h2"])
            stream = context.wrap_socket(stream, server_hostname=name)
            assert stream.selected_alpn_protocol() == "h2", stream.selected_alpn_protocol()
        super().__init__(stream, True)
        self.scheme = "https" if authority else "http"
        self.begin(settings)

    def greet(self):
        """Waits for the other side's SETTINGS."""
        self.until(lambda: self.greeted, "its SETTINGS")
        return self.h2.remote_settings

    def request(self, method, authority, path, fields=(), end=True, protocol=None):
        """Begins a stream."""
        number = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method)]
        if protocol:
            pseudo.append((":protocol", protocol))
        pseudo += [(":scheme", self.scheme), (":authority", authority), (":path", path)]
        self.headers(number, [*pseudo, *fields], end)
        return self.stream(number)

    def answer(self, stream):
        """Waits for the end of a stream, whichever it is."""
        self.until(lambda: stream.over, f"the end of stream {stream.number}")
        return stream


class Origin:
    """Calls `serve(connection, stream)` for each new stream, in the thread of the connection."""

    def __init__(self, port, serve, settings=None):
        self.serve, self.settings, self.connections = serve, settings, []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            connection = Connection(stream, False)
            # The gateway may keep it for later.
            stream.settimeout(None)
            self.connections.append(connection)
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        try:
            connection.begin(self.settings)
            while True:
                connection.pump()
                while connection.new:
                    self.serve(connection, connection.new.pop(0))
        except (Gone, OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            connection.close()

    def close(self):
        """Ends the listener and every connection."""
        # Closing alone does not end an accept that is under way, which would hold the port.
        self.listener.shutdown(socket.SHUT_RDWR)
        # One that was just taken would be served to whoever comes next on this port.
        self.accepting.join(PATIENCE)
        self.listener.close()
        for connection in self.connections:
            connection.close()
