"""A WebSocket server that echoes, in a thread of its own. Needs websockets."""
import asyncio
import http
import logging
import threading

from websockets.asyncio.server import serve

# Peers that break the rules are what it is there for.
logging.getLogger("websockets").setLevel(logging.CRITICAL)

PAGE = b"<!doctype html><title>page</title><p>a page"


class Echo:
    """On a port of this host. Every path echoes, with the subprotocol `chat` or `other` if it is offered, but for `/close`,
    which says goodbye with 4001, `/die`, which ends the connection when it has echoed one message, and `/no`, which is
    refused with 403. A request that is not for a WebSocket gets a page."""

    def __init__(self, port):
        self.port, self.closed, self.requests = port, [], []
        self.told = threading.Condition()
        started = threading.Event()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.run, args=(started,), daemon=True).start()
        assert started.wait(20), "the server does not start"

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.serve(started))

    async def serve(self, started):
        options = {"max_size": None, "subprotocols": ["chat", "other"], "select_subprotocol": self.subprotocol}
        async with serve(self.echo, "127.0.0.1", self.port, process_request=self.request, **options) as server:
            started.set()
            await server.serve_forever()

    def subprotocol(self, connection, offered):
        return next((name for name in ("chat", "other") if name in offered), None)

    def request(self, connection, request):
        self.requests.append((request.path, list(request.headers.raw_items())))
        if request.path == "/no":
            return connection.respond(http.HTTPStatus.FORBIDDEN, "not you\n")
        if "upgrade" not in request.headers:
            response = connection.respond(http.HTTPStatus.OK, PAGE.decode())
            del response.headers["content-type"]
            response.headers["content-type"] = "text/html"
            return response
        return None

    async def echo(self, connection):
        path = connection.request.path
        if path == "/close":
            await connection.close(4001, "goodbye")
            return
        try:
            async for message in connection:
                await connection.send(message)
                if path == "/die":
                    connection.transport.abort()
                    return
        finally:
            with self.told:
                self.closed.append((path, connection.close_code, connection.close_reason))
                self.told.notify_all()

    def wait_closed(self, path):
        """The code and reason with which a connection has ended; takes it off the list."""
        with self.told:
            assert self.told.wait_for(lambda: any(row[0] == path for row in self.closed), 20), f"{path} is still open"
            row = next(row for row in self.closed if row[0] == path)
            self.closed.remove(row)
            return row[1:]
