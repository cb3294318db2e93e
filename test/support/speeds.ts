/**
 * The two speeds of the tests. `npm test` runs the quick files, `npm run test:proofs` the proofs.
 *
 * A proof takes minutes, starts processes, or needs programs that are fetched first. Every file that no list below names
 * is quick. Some quick files also have a long form (effort.ts): the proofs run them again in that form.
 */

/** The published clients of CDAP, of Aiven and of Flink. They need Java, Maven, Python 3, Chromium and, once, the network. */
export const CLIENTS = ['test/clients/**/*.test.ts']

/** The built command and query processes: start, stop, signals, kills, installation. */
export const PROCESSES = [
  'test/cli/**/*.test.ts',
  'test/cdc/{database,kill}.test.ts', // the whole service with a PostgreSQL, and kills
  'test/explore/query-*process.test.ts',
  'test/explore/shared-store.test.ts', // two services for each test
  'test/jobs/embedded/real-*.test.ts',
  'test/jobs/{end-to-end*,shared-store}.test.ts',
  'test/cached-queries/real-*.test.ts', // PostgreSQL, capture and jobs together
  'test/deployments/real-*.test.ts', // jobs of deployments on the real engine
  'test/http/aiven/live-*.test.ts', // jobs on the real engine, and restarts of the service
  'test/jobs/oracle/*.test.ts', // jobs of random statements, with steps of one event
  'test/http/flink/real-jobs.test.ts',
  'test/http/cached-queries/live-*.test.ts', // with a PostgreSQL
  'test/http/ververica/live-*.test.ts', // deployments on the real engine
  'test/jobs/plan/planner-process.test.ts',
  'test/jobs/plan/query/random.test.ts', // thousands of statements, each on PostgreSQL too
  'test/jobs/connectors/{postgres*,kafka}.test.ts',
  'test/metrics/kill.test.ts',
  'test/jobs/worker/window-oracle.test.ts', // thousands of ticks
  'test/jobs/corpus/job-corpus.test.ts', // 950 jobs
  'test/jobs/query-corpus/{corpus,differential}.test.ts', // 575 statements, and random ones on PostgreSQL
  'test/jobs/worker/{savepoints,savepoint-kinds,shares,speed}.test.ts',
  'test/cdc/worker/{capture,capture-faults,database,speed}.test.ts', // a PostgreSQL for each
  'test/contract/shared-log.test.ts', // the contract on the engine with which tests of several nodes run
  'test/storage/free-memory.test.ts', // measures the memory of its own process
]

/** These compare latencies, so nothing else may run at the same time. */
export const ALONE = [
  'test/faults/overload.test.ts',
  'test/faults/fairness*.test.ts',
  'test/faults/jobs-{hostile,starved}.test.ts',
]

/** Crashes, failing disks, damaged files, and load over a long time. */
export const FAULTS = [
  'test/faults/kill*.test.ts',
  'test/faults/capture-*.test.ts',
  'test/faults/deployments-kill.test.ts',
  'test/faults/jobs-!(hostile|starved).test.ts',
  'test/faults/{job,query}-takeover.test.ts',
  'test/faults/power-loss.test.ts',
  'test/faults/failing-disk.test.ts',
  'test/faults/bit-rot.test.ts',
  'test/faults/restore-drill.test.ts',
  'test/faults/soak.test.ts',
  'test/faults/hostile/bombs.test.ts',
  'test/http/shared-store-random.test.ts',
]

/** The contract of storage on engines that need a service: `npm run test:engines`. */
export const ENGINES = ['test/engines/*.test.ts']

/** Clusters of Kafka with faults, and many nodes: `npm run test:kafka-proofs`. They take hours in their long form. */
export const KAFKA_PROOFS = ['test/engines/proofs/*.test.ts']

/**
 * Tests of the whole application that also run with streams and documents on Kafka. Two files ask every endpoint as every client; their
 * thousands of requests each wait for the cluster, and they have not yet been seen to pass there.
 */
export const ON_KAFKA = [
  'test/http/!(access-matrix|openapi).test.ts',
  'test/http/{aiven,cached-queries,flink,nodes,ververica}/!(live-*|real-*).test.ts',
  'test/http/aiven/live-jobs.test.ts',
  'test/http/flink/real-jobs.test.ts',
  'test/{explore,jobs}/shared-store.test.ts',
  'test/explore/{explore,whole-tables}.test.ts',
  'test/faults/sql-model.test.ts',
  'test/jobs/embedded/real-{savepoints,worker}.test.ts',
  'test/deployments/real-states.test.ts',
]

export const PROOFS = [...CLIENTS, ...PROCESSES, ...ALONE, ...FAULTS, ...ENGINES, ...KAFKA_PROOFS]

/** Quick files with a long form. */
export const TWO_FORMS = [
  'test/faults/*model.test.ts',
  'test/faults/format-bodies.test.ts',
  'test/faults/round-the-guard.test.ts',
  'test/faults/hostile/!(bombs).test.ts',
  'test/cdc/worker/row-store.test.ts',
  'test/deployments/reconciler/transitions.test.ts',
  'test/explore/hive-syntax.test.ts',
  'test/explore/random-statements.test.ts',
  'test/formats/avro-oracle.test.ts',
  'test/formats/calendar.test.ts',
  'test/formats/regex/match.test.ts',
  'test/http/{access-matrix,bad-input}.test.ts',
  'test/jobs/plan/every-function.test.ts',
  'test/jobs/plan/query/escapes.test.ts',
  'test/jobs/worker/{increment,refresh,running}.test.ts',
  'test/storage/joint-order.test.ts',
]

/** `expect.poll` sees a change soon, and waits long enough on a machine that is busy with other work. */
export const POLL = { interval: 10, timeout: 60_000 }

/**
 * How often a failed test runs again: 0, but for TEST_RETRIES. `.ci/run` sets it to 1, so that one test which a busy machine
 * held up does not end a run of an hour. A test that passed so is printed with its first failure (slowest.ts). What a proof
 * counts is a failure when it was seen once (proven.ts).
 */
export const RETRIES = Number(process.env.TEST_RETRIES ?? 0)
