#!/usr/bin/env python3
"""A real MongoDB driver (pymongo) through a gateway, with servers that are whole and servers that break.

usage: cases.py GATEWAY_PORT BACKEND_PORT

The gateway's MONGO port leads to BACKEND_PORT, on which this program starts one server after another: nx-27017, which
keeps what it is given; one of its own that speaks OP_COMPRESSED; and mockupdb and its own for faults. Prints a line for
each case, what the driver counted of its commands as `sent: NAME=NUMBER ...`, those that a server answered with an
error as `refused: NAME=NUMBER ...`, and `N passed, M failed`. Needs pymongo, nx-27017 and mockupdb.
"""
import collections
import os
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import mockupdb
import pymongo
import pymongo.errors
from pymongo import monitoring

from wire import Server

GATEWAY, BACKEND = int(sys.argv[1]), int(sys.argv[2])
# Several cases that wait in vain still leave time to say so.
PATIENCE_MS = 20_000
DATABASE = "shop"


SENT, REFUSED = collections.Counter(), collections.Counter()


class Listener(monitoring.CommandListener):
    """What the driver itself says of the commands that it has sent."""

    def started(self, event):
        SENT[event.command_name] += 1

    def succeeded(self, event):
        # Among them an insert of what may not be there twice: the command was answered with `ok`.
        pass

    def failed(self, event):
        # Without an answer there is none that is an error.
        if "ok" in event.failure:
            REFUSED[event.command_name] += 1


def client(**options):
    """A driver that knows nothing but the gateway."""
    return pymongo.MongoClient(
        "127.0.0.1",
        GATEWAY,
        directConnection=True,
        serverSelectionTimeoutMS=PATIENCE_MS,
        socketTimeoutMS=PATIENCE_MS,
        event_listeners=[Listener()],
        **options,
    )


class Kept:
    """nx-27017, whose data is in memory."""

    def __enter__(self):
        # Its file with its process id is the machine's unless another is named.
        self.folder = tempfile.TemporaryDirectory()
        self.log = tempfile.TemporaryFile()
        # It ends with this program, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", os.path.join(os.path.dirname(sys.executable), "nx-27017")]
        command += ["--db", "memory", "-p", str(BACKEND), "--log-file", "/dev/null", "--pid-file", f"{self.folder.name}/pid"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        end = time.monotonic() + PATIENCE_MS / 1000
        while True:
            try:
                socket.create_connection(("127.0.0.1", BACKEND), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.log.seek(0)
                    sys.exit(f"nx-27017 does not listen: {self.log.read().decode(errors='replace')}")
                time.sleep(0.05)

    def __exit__(self, *_):
        # Asked to end (SIGTERM), once in some thousand times it goes on for ever: it ends by an exception out of a signal
        # handler, which is lost where Python ignores exceptions. It has nothing to save.
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()


def inserts_and_finds(orders):
    for number in range(500):
        orders.insert_one({"number": number, "text": "x" * (number % 100)})
    assert orders.count_documents({}) == 500
    assert orders.find_one({"number": 250})["text"] == "x" * 50
    assert orders.find_one({"number": 5000}) is None


def cursors(orders):
    for size in (7, 50, 499):
        numbers = [order["number"] for order in orders.find({}, sort=[("number", 1)]).batch_size(size)]
        assert numbers == list(range(500)), f"batches of {size}: {len(numbers)} numbers"
    # One that is not read to its end is given up.
    cursor = orders.find({}).batch_size(10)
    next(cursor)
    cursor.close()


def aggregate(orders):
    stages = [{"$match": {"number": {"$gte": 250}}}, {"$group": {"_id": None, "sum": {"$sum": "$number"}, "count": {"$sum": 1}}}]
    assert list(orders.aggregate(stages)) == [{"_id": None, "sum": sum(range(250, 500)), "count": 250}]


def many_and_large(orders):
    orders.insert_many([{"number": number} for number in range(1000, 3000)])
    # Larger than any buffer on the way.
    text = "y" * (4 << 20)
    orders.insert_one({"number": 9000, "text": text})
    assert orders.find_one({"number": 9000})["text"] == text
    assert orders.delete_many({"number": {"$gte": 1000}}).deleted_count == 2001


def changes(orders):
    assert orders.update_many({"number": {"$lt": 10}}, {"$set": {"seen": True}}).modified_count == 10
    assert orders.count_documents({"seen": True}) == 10
    assert orders.find_one_and_delete({"number": 3})["number"] == 3
    assert orders.find_one({"number": 3}) is None


def errors(orders):
    try:
        orders.database.command("count", 7)
    except pymongo.errors.OperationFailure:
        pass
    else:
        raise AssertionError("a number is the name of a collection")
    orders.create_index("number", unique=True)
    try:
        orders.insert_one({"number": 7})
    except pymongo.errors.DuplicateKeyError:
        return
    raise AssertionError("a second 7 was taken")


def compressed():
    """Every command but the handshake's goes through zlib, both ways."""
    text = "z" * 100_000

    def serve(request):
        if request.command == "find":
            return request.answer({"cursor": {"id": 0, "ns": f"{DATABASE}.orders", "firstBatch": [{"text": text}]}})
        return request.answer({"n": len(request.document.get("documents", []))})

    server = Server(BACKEND, serve, {"compression": ["zlib"]})
    try:
        with client(compressors="zlib") as driver:
            orders = driver[DATABASE].orders
            assert len(orders.insert_many([{"text": text} for _ in range(20)]).inserted_ids) == 20
            assert [order["text"] for order in orders.find()] == [text]
        seen = [request for request in server.seen if request.command in ("insert", "find")]
        assert len(seen) == 2 and all(request.compressed for request in seen)
        assert len(seen[0].document["documents"]) == 20
        # Nobody on the way looks into them.
        SENT.subtract(request.command for request in seen)
        SENT["compressed"] += len(seen)
    finally:
        server.close()


def fails_at_once(what, driver):
    """The driver must hear of the end of its connection, not wait for a time limit of its own."""
    begin = time.monotonic()
    try:
        found = driver[DATABASE].orders.find_one({"number": 1})
    except pymongo.errors.AutoReconnect as error:
        assert not isinstance(error, pymongo.errors.NetworkTimeout), f"{what}: {error}"
        assert time.monotonic() - begin < PATIENCE_MS / 2000, f"{what}: only after {time.monotonic() - begin} s"
        return
    raise AssertionError(f"{what}: {found} was found")


def killed_in_mid_reply():
    """A server that dies with half an answer sent: the driver gets an error, and never the answer of another."""

    def serve(request):
        if request.command != "find":
            return request.answer({})
        batch = [{"number": 1, "text": "half" * 10_000}]
        whole = request.answer({"cursor": {"id": 0, "ns": f"{DATABASE}.orders", "firstBatch": batch}})
        return (whole[: len(whole) // 2],)

    server = Server(BACKEND, serve)
    try:
        with client(retryReads=False) as driver:
            fails_at_once("cut in the middle of an answer", driver)
            fails_at_once("and once more", driver)
            assert driver.admin.command("ping")["ok"] == 1.0
    finally:
        server.close()


def killed_between_batches():
    """The server of a cursor dies: the driver must not be given to another that does not know it."""
    finds = []

    def serve(request):
        if request.command == "find":
            finds.append(request)
            return request.answer({"cursor": {"id": 77, "ns": f"{DATABASE}.orders", "firstBatch": [{"number": 1}]}})
        return None if request.command == "getMore" else request.answer({})

    server = Server(BACKEND, serve)
    try:
        with client(retryReads=False) as driver:
            cursor = driver[DATABASE].orders.find({}).batch_size(1)
            assert next(cursor)["number"] == 1
            try:
                next(cursor)
            except pymongo.errors.AutoReconnect:
                return
            raise AssertionError("there was another batch")
    finally:
        server.close()


def scripted():
    """mockupdb holds an answer back, and hangs up instead of giving it."""
    hello = {"ismaster": True, "helloOk": True, "minWireVersion": 0, "maxWireVersion": 21}
    server = mockupdb.MockupDB(port=BACKEND, auto_ismaster=hello)
    server.run()
    try:
        with client(retryReads=False) as driver:
            held = mockupdb.go(driver[DATABASE].orders.find_one, {"number": 1})
            request = server.receives(timeout=PATIENCE_MS / 1000)
            request.replies({"cursor": {"id": 0, "ns": f"{DATABASE}.orders", "firstBatch": [{"number": 1, "_id": 1}]}})
            assert held()["number"] == 1
            dropped = mockupdb.go(driver[DATABASE].orders.find_one, {"number": 2})
            server.receives(timeout=PATIENCE_MS / 1000).hangup()
            try:
                dropped()
            except pymongo.errors.AutoReconnect:
                return
            raise AssertionError("there was an answer")
    finally:
        server.stop()


def unreachable():
    """Nobody listens behind the gateway: the driver's connections are closed at once."""
    with pymongo.MongoClient("127.0.0.1", GATEWAY, directConnection=True, serverSelectionTimeoutMS=1000) as driver:
        try:
            driver.admin.command("ping")
        except pymongo.errors.AutoReconnect as error:
            assert "timed out" not in str(error), error
            return
        raise AssertionError("there was an answer")


def main():
    results = collections.Counter()

    def case(name, function, *arguments):
        try:
            function(*arguments)
            print(f"{name}: passed", flush=True)
            results["passed"] += 1
        except Exception:
            print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
            results["failed"] += 1

    with Kept(), client() as driver:
        orders = driver[DATABASE].orders
        for function in (inserts_and_finds, cursors, aggregate, many_and_large, changes, errors):
            case(function.__name__, function, orders)
    for function in (compressed, killed_in_mid_reply, killed_between_batches, scripted, unreachable):
        case(function.__name__, function)
    for name, counted in (("sent", SENT), ("refused", REFUSED)):
        print(f"{name}:", *(f"{command}={count}" for command, count in sorted(counted.items())))
    print(f"{results['passed']} passed, {results['failed']} failed")
    sys.exit(1 if results["failed"] else 0)


main()
