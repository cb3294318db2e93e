/** Load for peers that speak HTTP: wrk where it is installed, else autocannon, which takes much more of its core. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AutocannonJob } from './autocannon-process.ts'
import { runLoadProcess, runToEnd } from './load-process.ts'
import { CONNECTIONS, type LoadOrder, type PeerLoad } from './peer.ts'
import { findProgram } from './programs.ts'

export interface HttpRequests {
  readonly method: 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent in turn. Printable ASCII. */
  readonly bodies: readonly string[]
}

export function httpLoad(requests: HttpRequests, order: LoadOrder): Promise<PeerLoad> {
  return findProgram('wrk') === undefined ? byAutocannon(requests, order) : byWrk(requests, order)
}

/** wrk takes whole seconds. */
async function byWrk(requests: HttpRequests, { port, seconds, round }: LoadOrder): Promise<PeerLoad> {
  const script = join(round.folder, 'load.lua')
  writeFileSync(script, luaOf(requests))
  const duration = Math.max(1, Math.round(seconds))
  const flags = ['-t1', `-c${CONNECTIONS}`, `-d${duration}s`, '-s', script]
  const url = `http://127.0.0.1:${port}${requests.path}`
  const printed = await runToEnd([...round.pinLoad, 'wrk', ...flags, url])
  const result = /^\{.*\}$/m.exec(printed)?.[0]
  if (result === undefined) throw new Error(`wrk gave no result: ${printed}`)
  const { failures, ...measured } = JSON.parse(result) as PeerLoad
  const happened = Object.entries(failures).filter(([, count]) => count > 0)
  return { ...measured, failures: Object.fromEntries(happened) }
}

/** JSON of printable ASCII is a string of Lua, too. */
function luaOf({ method, path, headers, bodies }: HttpRequests): string {
  const fields = Object.entries(headers).map(
    ([name, value]) => `[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  )
  return `
local bodies = { ${bodies.map((body) => JSON.stringify(body)).join(', ')} }
local requests, at = {}, 0

function init()
  local headers = { ${fields.join(', ')} }
  for i, body in ipairs(bodies) do
    requests[i] = wrk.format(${JSON.stringify(method)}, ${JSON.stringify(path)}, headers, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

-- os.clock is the processor time of the whole process.
function done(run, latency)
  local e = run.errors
  print(string.format(
    '{"seconds":%.6f,"answers":%d,"p50Ms":%.4f,"p99Ms":%.4f,"p999Ms":%.4f,"busy":%.4f,"failures":' ..
    '{"status of an error":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}}',
    run.duration / 1e6, run.requests - e.status, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    latency:percentile(99.9) / 1000, os.clock() / (run.duration / 1e6), e.status, e.connect, e.read, e.write, e.timeout))
end
`
}

function byAutocannon(requests: HttpRequests, { port, seconds, round }: LoadOrder): Promise<PeerLoad> {
  const job: AutocannonJob = { port, seconds, requests }
  return runLoadProcess('autocannon-process', job, round.pinLoad)
}
