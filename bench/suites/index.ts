/** All suites, in the order they run. */
import { cdcSuite } from './cdc.ts'
import { footprintSuite } from './footprint.ts'
import { growthSuite } from './growth.ts'
import { jobSuite } from './jobs.ts'
import { kafkaSuite } from './kafka.ts'
import { mixedSuite } from './mixed.ts'
import { peerSuite } from './peers.ts'
import { postSuite } from './posts.ts'
import { readSuite } from './reads.ts'
import type { Suite, SuiteParts } from './suite.ts'
import { uploadSuite } from './uploads.ts'

const SUITES = [
  postSuite,
  uploadSuite,
  readSuite,
  mixedSuite,
  growthSuite,
  jobSuite,
  cdcSuite,
  kafkaSuite,
  footprintSuite,
  peerSuite,
]

export function allSuites(parts: SuiteParts): Suite[] {
  return SUITES.map((suite) => suite(parts))
}
