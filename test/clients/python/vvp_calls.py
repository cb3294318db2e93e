"""The magics of jupyter-vvp as a notebook uses them, call by call. Arguments: folder of its packages, port.

The magics run in an IPython shell of this process; the buttons below a deployment are pressed by program.
"""
import io
import json
import os
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout

packages, port = sys.argv[1:3]
sys.path.insert(0, packages)
os.environ["IPYTHONDIR"] = tempfile.mkdtemp()

import requests  # noqa: E402
from IPython.testing.globalipapp import start_ipython  # noqa: E402

WITHIN_SECONDS = 30

sent = []
send = requests.Session.request


def recorded(session, method, url, **more):
    """What the client sends, as it sends it; each call reports it."""
    answer = send(session, method, url, **more)
    sent.append("%s %s -> %d" % (method.upper(), answer.request.path_url, answer.status_code))
    return answer


requests.Session.request = recorded
shell = start_ipython()
with redirect_stdout(io.StringIO()):
    shell.run_line_magic("load_ext", "jupytervvp")

from ipywidgets import widgets  # noqa: E402
from jupytervvp.flinksqlkernel import fetch_vvp_suggestions  # noqa: E402
from jupytervvp.vvpsession import VvpSession  # noqa: E402

buttons = {}
Button = widgets.Button


def named_button(**members):
    """The client shows its buttons in a page; here they are kept by name."""
    button = Button(**members)
    buttons[members["description"]] = button
    return button


widgets.Button = named_button


def call(name, action):
    sent.clear()
    errors = io.StringIO()
    shell.write_err = errors.write  # the client calls it; IPython has it no more
    value = None
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(errors):
            value = action()
        told = errors.getvalue().strip()
        line = {"call": name, "ok": told == "", "value": plain(value), "error": told}
    except Exception as error:  # every failure is reported
        line = {"call": name, "ok": False, "error": "%s: %s" % (type(error).__name__, error)}
    # In one piece, on a line of its own: threads of the client print, too.
    sys.__stdout__.write("\n%s\n" % json.dumps({**line, "requests": list(sent)}))
    sys.__stdout__.flush()
    return value


def plain(value):
    """A table as its columns and rows."""
    if hasattr(value, "columns"):
        return {"columns": list(value.columns), "rows": value.values.tolist()}
    return value if isinstance(value, (dict, list, str, int, bool, type(None))) else type(value).__name__


def sql(name, text, line=""):
    return call(name, lambda: shell.run_cell_magic("flink_sql", line, text))


def connect(name, line):
    return call(name, lambda: shell.run_line_magic("connect_vvp", "localhost -p %s %s" % (port, line)))


def session():
    return VvpSession.get_session("mySession")


def deployment(identity):
    path = "/api/v1/namespaces/default/deployments/%s" % identity
    answer = session().execute_get_request(path)
    return answer.status_code, answer.json()


def state_of(identity, wanted):
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        status, body = deployment(identity)
        state = body.get("status", {}).get("state", status)
        if state == wanted or time.monotonic() > end:
            return state
        time.sleep(0.1)


def press(name, again=""):
    return call("press " + name + again, lambda: buttons[name].click())


connect("namespaces", "")
connect("connect", "-n default -s mySession --force")
connect("connect to nope", "-n nope -s other")
call("namespace", lambda: session().get_namespace_info())

sql("show no tables", "SHOW TABLES")
sql("create source", "CREATE TABLE source_table (\nid INT,\ndata STRING\n) WITH (\n'connector' = 'datagen'\n)")
sql("create source again", "CREATE TABLE source_table (id INT) WITH ('connector' = 'datagen')")
sql("show tables", "SHOW TABLES")
sql("describe", "DESCRIBE source_table")
call("suggest", lambda: fetch_vvp_suggestions(session(), "%%flink_sql\nSHOW TA", 19, 12))

started = sql(
    "temporary sink and insert",
    "CREATE TEMPORARY TABLE sink_table (\ndata STRING\n) WITH (\n'connector' = 'blackhole'\n);\n"
    "INSERT INTO sink_table SELECT data FROM source_table",
)
call("running", lambda: state_of(started, "RUNNING"))
press("Cancel")
call("cancelled", lambda: state_of(started, "CANCELLED"))
press("Start")
call("running again", lambda: state_of(started, "RUNNING"))
press("Cancel", " again")
call("cancelled again", lambda: state_of(started, "CANCELLED"))
press("Delete")
call("deleted", lambda: deployment(started)[0])

KAFKA = (
    "'connector' = 'kafka',\n'topic' = '%s',\n'properties.bootstrap.servers' = 'localhost:9092',\n"
    "'properties.group.id' = 'orders',\n'format' = 'csv'"
)
sql("create kafka", "CREATE TABLE `kafka_table` (id int)\nCOMMENT 'A comment'\nWITH (\n%s\n)" % (KAFKA % "topic"))
sql("alter kafka", "ALTER TABLE `kafka_table` SET (\n%s\n)" % (KAFKA % "other_topic"))
shell.user_ns["topic_name"] = "myTopic"
sql("variables", "CREATE TABLE `var_table` (id int)\nWITH (\n%s\n)" % (KAFKA % "{topic_name}"))
shell.user_ns["parameters"] = {
    "metadata.name": "named",
    "spec.state": "CANCELLED",
    "spec.template.spec.parallelism": 2,
    "spec.upgradeStrategy.kind": "STATEFUL",
    "spec.restoreStrategy.kind": "LATEST_STATE",
    "spec.template.spec.flinkConfiguration.state.backend": "filesystem",
    "spec.template.spec.flinkConfiguration.high-availability": "vvp-kubernetes",
}
named = sql("parameters", "INSERT INTO var_table SELECT * FROM kafka_table", "-p parameters -d")
call("named", lambda: deployment(named)[1])

OLD = (
    "'connector.type' = 'kafka',\n'connector.version' = 'universal',\n'connector.topic' = 'old',\n"
    "'connector.properties.bootstrap.servers' = 'localhost',\n'connector.startup-mode' = 'earliest-offset',\n"
    "'format.type' = 'json',\n'format.derive-schema' = 'true'"
)
sql("legacy options", "CREATE TABLE `legacy` (id int)\nCOMMENT 'A comment'\nWITH (\n%s\n)" % OLD)
sql("same topic", "CREATE TABLE `same_topic` (id int)\nWITH (\n%s\n)" % OLD)
loop = sql("insert into the same topic", "INSERT INTO legacy SELECT * FROM same_topic")
call("cancel", lambda: session().submit_patch_request("/api/v1/namespaces/default/deployments/%s" % loop, '{"spec":{"state":"CANCELLED"}}').status_code)
call("loop cancelled", lambda: state_of(loop, "CANCELLED"))
sql("select", "SELECT * FROM source_table")
sql("no SQL", "CRATE TABLE x (a INT)")
sql("unknown table", "INSERT INTO nope SELECT * FROM source_table")
for table in ("kafka_table", "var_table", "legacy", "same_topic", "source_table"):
    sql("drop " + table, "DROP TABLE `%s`" % table)
sql("show no tables again", "SHOW TABLES")
os._exit(0)  # the client's own threads ask for states for ever
