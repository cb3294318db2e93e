/** The workshop's thread. On Linux a thread has a priority of its own: queries wait for requests, not requests for queries. */
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { hostWorkshop } from './workshop-host.ts'

const LOWER_PRIORITY = 10

if (process.platform === 'linux') setPriority(LOWER_PRIORITY)
hostWorkshop(parentPort!)
