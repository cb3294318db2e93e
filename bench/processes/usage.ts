/** What a process has used so far, from /proc. */
import { readFileSync } from 'node:fs'

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
