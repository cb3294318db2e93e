/**
 * The worker thread that parses documents and previews events. On Linux it has a lower priority than the thread of requests,
 * so that a pattern that is slow on purpose takes the time that requests leave.
 */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { DOCUMENTS } from './document-parsers.ts'
import { answerTask, type FromWorker } from './messages/parse-port.ts'
import type { ParseTask } from './messages/parse-task.ts'

const LOWER_PRIORITY = 10

const thread = threadId()
if (thread !== undefined) {
  try {
    setPriority(thread, LOWER_PRIORITY)
  } catch {
    // then it has the priority of the others
  }
}

const port = parentPort!
port.on('message', (task: ParseTask) => answerTask(task, DOCUMENTS, (message) => port.postMessage(message)))
port.postMessage({ kind: 'ready', thread } satisfies FromWorker)

/** The number of this thread on Linux. */
function threadId(): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const id = /\/task\/([0-9]+)$/.exec(readlinkSync('/proc/thread-self'))?.[1]
    return id === undefined ? undefined : Number(id)
  } catch {
    return undefined
  }
}
