"""Every method of flink-rest-client, call by call. Arguments: folder of its packages, host, port, namespace, SQL jar, Java jar,
stream of events, files of events before the savepoint, while no job runs, and after.

The two jobs of the tutorial run already. The SQL jar is started, stopped with a savepoint, and started from it.
"""
import json
import os
import sys
import time
from urllib.parse import unquote, urlsplit

packages, host, port, namespace, sql_jar, java_jar, stream = sys.argv[1:8]
BEFORE, WHILE_STOPPED, AFTER = sys.argv[8:11]
sys.path.insert(0, packages)

import requests  # noqa: E402
from flink_rest_client import FlinkRestClient  # noqa: E402

WITHIN_SECONDS = 180
NO_ID = "b63c78c70033e00afa84de9029257e31"
ARGUMENTS = {"namespace": namespace, "least": 80}

sent = []
send = requests.request


def recorded(method, url, **more):
    """What the client sends, as it sends it; each call reports it."""
    answer = send(method=method, url=url, **more)
    parts = urlsplit(answer.request.url)
    target = parts.path + ("?" + unquote(parts.query)[:40] if parts.query else "")
    sent.append("%s %s -> %d" % (method, target, answer.status_code))
    return answer


requests.request = recorded
client = FlinkRestClient.get(host=host, port=int(port))


def call(name, action):
    sent.clear()
    value = None
    try:
        value = action()
        line = {"call": name, "ok": True, "value": value}
    except Exception as error:  # every failure is reported
        line = {"call": name, "ok": False, "error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps({**line, "requests": list(sent)}), flush=True)
    return value


def wait_for(action, is_good):
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        value = action()
        if is_good(value) or time.monotonic() > end:
            return value
        time.sleep(0.1)


def completed(trigger):
    """The operation once it is complete, and whether its savepoint is there when it is seen."""
    status = wait_for(lambda: trigger.status, lambda found: found["status"]["id"] == "COMPLETED")
    location = status.get("operation", {}).get("location")
    path = unquote(urlsplit(location).path) if location else None
    return {**status, "exists": path is not None and os.path.exists(path)}


def wait_until(job, state):
    return wait_for(lambda: client.jobs.get(job)["state"], lambda found: found == state)


def post_events(file):
    with open(file, "rb") as events:
        url = "http://%s:%s/v3/namespaces/%s/streams/%s/batch" % (host, port, namespace, stream)
        answer = send("POST", url, data=events.read(), headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200, answer.text


def lines_of(*files):
    return sum(1 for file in files for _ in open(file))


def wait_for_records(job, records):
    """Until the source of the job has read so many in all."""

    def read():
        vertices = client.jobs.get(job)["vertices"]
        return sum(one["metrics"]["write-records"] for one in vertices if one["name"].startswith("Source"))

    return wait_for(read, lambda found: found >= records)


call("overview", client.overview)
call("config", client.config)
call("datasets", client.datasets)
call("delete_dataset", lambda: client.delete_dataset(NO_ID).status)
call("delete_cluster", client.delete_cluster)

jobmanager = client.jobmanager
call("jobmanager.config", jobmanager.config)
call("jobmanager.logs", jobmanager.logs)
call("jobmanager.get_log", lambda: jobmanager.get_log(max(jobmanager.logs(), key=lambda log: log["size"])["name"]))
call("jobmanager.get_log of nope", lambda: jobmanager.get_log("nope"))
call("jobmanager.metric_names", jobmanager.metric_names)
call("jobmanager.metrics", jobmanager.metrics)

managers = client.taskmanagers
call("taskmanagers.all", managers.all)
manager = call("taskmanagers.taskmanager_ids", managers.taskmanager_ids)[0]
call("taskmanagers.metric_names", managers.metric_names)
call("taskmanagers.metrics", managers.metrics)
call("taskmanagers.get", lambda: managers.get(manager))
call("taskmanagers.get of nope", lambda: managers.get("nope"))
call("taskmanagers.get_logs", lambda: managers.get_logs(manager))
call("taskmanagers.get_metrics", lambda: managers.get_metrics(manager))
call("taskmanagers.get_thread_dump", lambda: managers.get_thread_dump(manager))

jobs = client.jobs
call("jobs.all", jobs.all)
ids = call("jobs.job_ids", jobs.job_ids)
by_name = {one["name"]: one["jid"] for one in call("jobs.overview", jobs.overview)}
job = by_name["simple_agg"]
call("jobs.metric_names", jobs.metric_names)
call("jobs.metrics", jobs.metrics)
call("jobs.get", lambda: jobs.get(job))
call("jobs.get of nope", lambda: jobs.get(NO_ID))
call("jobs.get of no id", lambda: jobs.get("nope"))
call("jobs.get_config", lambda: jobs.get_config(job))
call("jobs.get_exceptions", lambda: jobs.get_exceptions(job))
call("jobs.get_execution_result", lambda: jobs.get_execution_result(job))
call("jobs.get_execution_result of nope", lambda: jobs.get_execution_result(NO_ID))
call("jobs.get_metrics", lambda: jobs.get_metrics(job))
call("jobs.get_plan", lambda: jobs.get_plan(job))
vertices = call("jobs.get_vertex_ids", lambda: jobs.get_vertex_ids(job))
call("jobs.get_accumulators", lambda: jobs.get_accumulators(job))
call("jobs.get_accumulators with values", lambda: jobs.get_accumulators(job, True))
call("jobs.get_checkpointing_configuration", lambda: jobs.get_checkpointing_configuration(job))

vertex = jobs.get_vertex(job, vertices[0])
call("vertex.details", vertex.details)
call("vertex.details of nope", lambda: jobs.get_vertex(job, NO_ID).details())
call("vertex.backpressure", vertex.backpressure)
call("vertex.metric_names", vertex.metric_names)
call("vertex.metrics", vertex.metrics)
call("vertex.subtasktimes", vertex.subtasktimes)
call("vertex.taskmanagers", vertex.taskmanagers)
call("vertex.watermarks", vertex.watermarks)
subtasks = vertex.subtasks
call("subtasks.subtask_ids", subtasks.subtask_ids)
call("subtasks.accumulators", subtasks.accumulators)
call("subtasks.metric_names", subtasks.metric_names)
call("subtasks.metrics", subtasks.metrics)
call("subtasks.get", lambda: subtasks.get(0))
call("subtasks.get of nope", lambda: subtasks.get(9))
call("subtasks.get_attempt", lambda: subtasks.get_attempt(0))
call("subtasks.get_attempt by number", lambda: subtasks.get_attempt(0, 0))
call("subtasks.get_attempt_accumulators", lambda: subtasks.get_attempt_accumulators(0))

jars = client.jars
call("jars.all", jars.all)
uploaded = call("jars.upload", lambda: jars.upload(java_jar))["filename"].rsplit("/", 1)[1]
call("jars.get_plan of Java", lambda: jars.get_plan(uploaded))
call("jars.run of Java", lambda: jars.run(uploaded))
call("jars.delete", lambda: jars.delete(uploaded))
call("jars.delete again", lambda: jars.delete(uploaded))
call("jars.run of nope", lambda: jars.run("nope.jar"))
jar = call("jars.upload of SQL", lambda: jars.upload(sql_jar))["filename"].rsplit("/", 1)[1]
call("jars.get_plan without arguments", lambda: jars.get_plan(jar))
counts = call("jars.run", lambda: jars.run(jar, ARGUMENTS, entry_class="org.example.Main", parallelism=2))
call("running", lambda: wait_until(counts, "RUNNING"))
post_events(BEFORE)
call("records before", lambda: wait_for_records(counts, lines_of(BEFORE)))
wait_for(lambda: jobs.get_checkpoint_ids(counts), lambda found: len(found) > 0)
call("jobs.get_checkpoints", lambda: jobs.get_checkpoints(counts))
checkpoint = call("jobs.get_checkpoint_ids", lambda: jobs.get_checkpoint_ids(counts))[0]
call("jobs.get_checkpoint_details", lambda: jobs.get_checkpoint_details(counts, checkpoint))
call("jobs.get_checkpoint_details with subtasks", lambda: jobs.get_checkpoint_details(counts, checkpoint, True))
call("jobs.get_checkpoint_details of nope", lambda: jobs.get_checkpoint_details(counts, 999999))

call("jobs.rescale", lambda: jobs.rescale(counts, 2).status)
call("jobs.create_savepoint", lambda: completed(jobs.create_savepoint(counts, None)))
call("jobs.create_savepoint elsewhere", lambda: jobs.create_savepoint(counts, "/somewhere/else"))
call("jobs.create_savepoint of nope", lambda: jobs.create_savepoint(NO_ID, None))
stopped = call("jobs.stop", lambda: completed(jobs.stop(counts, None)))
call("finished", lambda: wait_until(counts, "FINISHED"))
call("jobs.get_execution_result when finished", lambda: jobs.get_execution_result(counts))
post_events(WHILE_STOPPED)
location = stopped["operation"]["location"]
again = call(
    "jars.upload_and_run",
    lambda: jars.upload_and_run(sql_jar, ARGUMENTS, savepoint_path=location, allow_non_restored_state=False),
)
call("running again", lambda: wait_until(again, "RUNNING"))
call("checkpoints when restored", lambda: jobs.get_checkpoints(again)["latest"]["restored"])
post_events(AFTER)
call("records after", lambda: wait_for_records(again, lines_of(BEFORE, WHILE_STOPPED, AFTER)))
call("no savepoint", lambda: jars.upload_and_run(sql_jar, ARGUMENTS, savepoint_path=location + "nope"))

call("jobs.terminate", lambda: jobs.terminate(job))
call("canceled", lambda: wait_until(job, "CANCELED"))
call("jobs.terminate again", lambda: jobs.terminate(job))
call("jobs.terminate when finished", lambda: jobs.terminate(counts))
call("jobs.terminate of nope", lambda: jobs.terminate(NO_ID))
