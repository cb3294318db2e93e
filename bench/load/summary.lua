-- Prints what a run of wrk gave as one line of JSON, for processes/wrk.ts.
-- `os.clock` is the processor time of the whole process.

local summary = {}

-- `answers` with success, events of each, and bytes of each.
function summary.print(run, latency, answers, events_each, bytes_each)
  local seconds, errors = run.duration / 1e6, run.errors
  print(string.format(
    '{"seconds":%.6f,"answers":%d,"events":%d,"bytes":%.0f,"p50Ms":%.4f,"p99Ms":%.4f,"p999Ms":%.4f,' ..
    '"busy":%.4f,"refused":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}',
    seconds, answers, answers * events_each, answers * bytes_each,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000,
    os.clock() / seconds, run.requests - answers, errors.connect, errors.read, errors.write, errors.timeout))
end

return summary
