/** What a process has used so far, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

export interface Usage {
  readonly rssPeakBytes: number
  readonly rssBytes: number
  /** Of that, without the pages of files it has mapped, which the kernel can take back. */
  readonly rssOwnBytes: number
  /** Since the process started. User and system time of all threads; /proc counts it in steps of 10 ms. */
  readonly cpuSeconds: number
}

/** USER_HZ, the unit of times in /proc. */
const TICKS_PER_SECOND = 100

/** Undefined where there is no /proc. */
export function usageOf(pid: number | undefined): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const bytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
    // From field 3 on: the name, in parentheses, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return {
      rssPeakBytes: bytes('VmHWM'),
      rssBytes: bytes('VmRSS'),
      rssOwnBytes: bytes('RssAnon'),
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    }
  } catch {
    return undefined
  }
}

/** What a process and its children use now, and what children that have ended have used. */
export interface TreeUsage {
  readonly cpuSeconds: number
  readonly rssOwnBytes: number
}

/** Undefined where there is no /proc. */
export function treeUsageOf(root: number | undefined): TreeUsage | undefined {
  if (root === undefined || usageOf(root) === undefined) return undefined
  let cpuSeconds = 0
  let rssOwnBytes = 0
  for (const pid of withDescendants(root)) {
    const usage = usageOf(pid)
    if (usage === undefined) continue // it has just ended
    cpuSeconds += usage.cpuSeconds + endedChildrenSeconds(pid)
    rssOwnBytes += usage.rssOwnBytes
  }
  return { cpuSeconds, rssOwnBytes }
}

function withDescendants(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = Number(statFields(Number(name))?.[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

function endedChildrenSeconds(pid: number): number {
  const fields = statFields(pid)
  return fields === undefined ? 0 : (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND
}

/** From field 3 of /proc/<pid>/stat on. */
function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
