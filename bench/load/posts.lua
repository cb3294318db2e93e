-- Load for wrk: one event per request, bodies and streams in turn from a pool made at the start.
-- wrk … -s posts.lua URL -- STREAMS ASYNC(0|1) BODY_BYTES HEADERS
-- A pool, because a body made per request would cost more than sending it; longer than what LevelDB compresses at once.

local here = debug.getinfo(1, "S").source:match("^@(.*/)")
local summary = dofile(here .. "summary.lua")

local POOL_LEAST = 1024
local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local HEADERS = { { "sensor", "t-17" }, { "unit", "celsius" }, { "site", "north-2" } }

local letter_of = {}
for byte = 0, 255 do
  local at = byte % 64 + 1
  letter_of[string.char(byte)] = LETTERS:sub(at, at)
end

local random = io.open("/dev/urandom", "rb")
local pool, at = {}, 0

function setup(thread)
  wrk_thread = thread -- `done` runs in a state of its own that sees none of what `init` did
end

function init(args)
  local streams, async, headers = tonumber(args[1]), args[2] == "1", tonumber(args[4])
  body_bytes = tonumber(args[3])
  for i = 1, math.max(POOL_LEAST, streams) do
    local name = streams == 1 and "bench" or "bench-" .. (i - 1) % streams
    local path = "/v3/namespaces/default/streams/" .. name .. (async and "/async" or "")
    local with = {}
    for h = 1, headers do
      with[name .. "." .. HEADERS[h][1]] = HEADERS[h][2]
    end
    local body = random:read(body_bytes):gsub(".", letter_of)
    pool[i] = wrk.format("POST", path, with, body)
  end
end

function request()
  at = at % #pool + 1
  return pool[at]
end

function done(run, latency)
  summary.print(run, latency, run.requests - run.errors.status, 1, wrk_thread:get("body_bytes"))
end
