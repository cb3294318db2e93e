-- Load for wrk: reads of a few events from a random time on, of a random stream.
-- wrk … -s point-reads.lua URL -- STREAMS START_MS END_MS LIMIT
-- An answer counts if it is 200: without events it would be 204.

local here = debug.getinfo(1, "S").source:match("^@(.*/)")
local summary = dofile(here .. "summary.lua")

local streams, start_ms, span_ms
limit, answers, bytes = 0, 0, 0 -- global: `done` runs in a state of its own and asks for them

function setup(thread)
  wrk_thread = thread
end

function init(args)
  streams, start_ms, limit = tonumber(args[1]), tonumber(args[2]), tonumber(args[4])
  span_ms = tonumber(args[3]) - start_ms
  local seed = io.open("/dev/urandom", "rb"):read(4)
  math.randomseed(seed:byte(1) + seed:byte(2) * 256 + seed:byte(3) * 65536)
end

function request()
  local name = streams == 1 and "bench" or "bench-" .. math.random(0, streams - 1)
  local start = start_ms + math.random(0, span_ms)
  return wrk.format("GET", string.format("/v3/namespaces/default/streams/%s/events?start=%.0f&limit=%d", name, start, limit))
end

function response(status, headers, body)
  if status == 200 then
    answers = answers + 1
    bytes = bytes + #body
  end
end

function done(run, latency)
  local ok = wrk_thread:get("answers")
  summary.print(run, latency, ok, wrk_thread:get("limit"), ok == 0 and 0 or wrk_thread:get("bytes") / ok)
end
