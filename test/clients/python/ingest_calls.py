"""The Python client of cdap-ingest, call by call, on Python 3. Arguments: folder of its packages, host, port.

The client is of 2014 and for Python 2: its modules import each other by their bare names, and it names the type `unicode`.
Both are given to it here; nothing of it is changed. What goes over the wire is what it sends.
"""
import builtins
import json
import os
import sys
import threading

packages, host, port = sys.argv[1:4]
for folder in ("", "cdap_stream_client", "cdap_auth_client"):
    sys.path.insert(0, os.path.join(packages, folder))
builtins.unicode = str

from config import Config  # noqa: E402
from streamclient import StreamClient  # noqa: E402


def call(name, action):
    try:
        line = {"call": name, "ok": True, "value": action()}
    except Exception as error:  # every failure is reported
        line = {"call": name, "ok": False, "error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(line), flush=True)


def write(writer, message, headers=None):
    """Waits for the answer, which the client's thread gets."""
    done = threading.Event()
    statuses = []

    def answered(response):
        statuses.append(getattr(response, "status_code", str(response)))
        done.set()

    writer.write(message, headers=headers).on_response(answered, answered)
    if not done.wait(20):
        raise TimeoutError("no answer")
    return statuses[0]


config = Config()
config.host = host
config.port = int(port)
config.ssl = False
client = StreamClient(config)

call("create", lambda: client.create("x"))
call("create again", lambda: client.create("x"))
call("set ttl", lambda: client.set_ttl("x", 88888))
call("get ttl", lambda: client.get_ttl("x"))
call("ttl of nope", lambda: client.get_ttl("nope"))
writer = client.create_writer("x")
call("write", lambda: write(writer, "one"))
call("write text beyond ASCII", lambda: write(writer, "zw\u00f6lf"))
call("write nothing", lambda: write(writer, ""))
call("writer of nope", lambda: client.create_writer("nope"))
call("write with headers", lambda: write(writer, "two", {"x.k": "v"}))
call("create another", lambda: client.create("y"))
call("truncate", lambda: client.truncate("y"))
call("truncate nope", lambda: client.truncate("nope"))
