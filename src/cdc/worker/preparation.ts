/**
 * Slot and publication of a connection: checks of the server, making and dropping them.
 *
 * The publication is made first and dropped last, and carries a comment. So a slot without a publication that has the comment is not
 * ours, and a crash in between leaves a publication that the next call finds.
 */

import type { CapturedTable, TableName } from '../captured-table.ts'
import { printedTable } from '../captured-table.ts'
import { CaptureProblem } from './capture-problem.ts'
import type { CaptureTarget } from './capture-protocol.ts'
import { describeTables, quotedTable } from './catalog.ts'
import { databaseAddressOf } from './database-address.ts'
import { DatabaseSession, quotedIdentifier, quotedText, type SessionLimits } from './database-session.ts'

const VERSION_MIN = 12
const VERSION_MAX = 18
/** From this version on a partitioned table is published under its own name. */
const VIA_ROOT_VERSION = 130_000

export const PUBLICATION_COMMENT = 'made by Millrace for its change data capture'

/** Rejects with CaptureProblem; then nothing is left that was not there before. */
export async function prepareDatabase(target: CaptureTarget, limits: SessionLimits): Promise<void> {
  const address = databaseAddressOf(target.connectionString)
  const session = await DatabaseSession.open(address, limits)
  try {
    await checkServer(session)
    const isNew = await makePublication(session, target.publication)
    try {
      await makeSlot(session, target, limits, isNew)
    } catch (error) {
      if (isNew) await session.query(`DROP PUBLICATION IF EXISTS ${quotedIdentifier(target.publication)}`)
      throw error
    }
  } finally {
    await session.close()
  }
}

export async function checkServer(session: DatabaseSession): Promise<void> {
  const [facts] = await session.query(
    `SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('wal_level'),
       pg_is_in_recovery(), current_user, current_database(),
       has_database_privilege(current_database(), 'CREATE'),
       EXISTS (SELECT FROM pg_roles r WHERE rolname = current_user AND (rolreplication OR rolsuper)
         OR rolname IN ('rds_replication', 'rds_superuser', 'cloudsqlsuperuser') AND pg_has_role(current_user, r.oid, 'member'))`,
  )
  const [number, version, walLevel, inRecovery, user, database, mayCreate, mayReplicate] = facts!
  const major = Math.floor(Number(number) / 10_000)
  if (major < VERSION_MIN || major > VERSION_MAX) {
    throw rejected(`the server is PostgreSQL ${version}; use ${VERSION_MIN} to ${VERSION_MAX}`)
  }
  if (inRecovery === 't') throw rejected('the server is a standby; connect to the primary server')
  if (walLevel !== 'logical') {
    throw new CaptureProblem(
      'replication_not_enabled',
      `wal_level is ${walLevel}; run ALTER SYSTEM SET wal_level = logical and restart PostgreSQL`,
      false,
    )
  }
  if (mayReplicate !== 't') {
    throw lacking(`role ${user} may not replicate; run ALTER ROLE ${printedName(user!)} REPLICATION`)
  }
  if (mayCreate !== 't') {
    throw lacking(
      `role ${user} may not create a publication in database ${database}; run GRANT CREATE ON DATABASE ${printedName(database!)} TO ${printedName(user!)}`,
    )
  }
}

function rejected(message: string): CaptureProblem {
  return new CaptureProblem('database_rejected', message, false)
}

function lacking(message: string): CaptureProblem {
  return new CaptureProblem('insufficient_privilege', message, false)
}

/** In quotes only if it needs them. */
function printedName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quotedIdentifier(name)
}

/** Returns whether it was made now. */
export async function makePublication(session: DatabaseSession, publication: string): Promise<boolean> {
  const name = quotedIdentifier(publication)
  const [found] = await session.query(
    `SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = $1`,
    [publication],
  )
  if (found !== undefined) {
    if (found[0] === PUBLICATION_COMMENT) return false
    throw new CaptureProblem(
      'conflict',
      `publication ${publication} exists and was not made by Millrace; drop it, or use another environmentId`,
      false,
    )
  }
  const [version] = await session.query(`SELECT current_setting('server_version_num')`)
  const viaRoot = Number(version![0]) >= VIA_ROOT_VERSION ? ' WITH (publish_via_partition_root = true)' : ''
  await session.transaction(async () => {
    await session.query(`CREATE PUBLICATION ${name}${viaRoot}`)
    await session.query(`COMMENT ON PUBLICATION ${name} IS ${quotedText(PUBLICATION_COMMENT)}`)
  })
  return true
}

/** `mustBeNew`: a slot of this name is not ours. */
export async function makeSlot(
  session: DatabaseSession,
  { slot }: { readonly slot: string },
  limits: SessionLimits,
  mustBeNew: boolean,
): Promise<void> {
  const [found] = await session.query(
    `SELECT plugin, database = current_database(), temporary FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  )
  if (found !== undefined) {
    const [plugin, isHere, isTemporary] = found
    if (!mustBeNew && plugin === 'pgoutput' && isHere === 't' && isTemporary !== 't') return
    throw new CaptureProblem(
      'conflict',
      `replication slot ${slot} exists and was not made by Millrace; drop it, or use another environmentId`,
      false,
    )
  }
  await createSlot(session, slot, limits, '')
}

/**
 * Makes a slot over a connection of replication, which also shows that the server lets one in, and closes it. The server waits until
 * all transactions have ended that run now.
 */
async function createSlot(
  session: DatabaseSession,
  slot: string,
  limits: SessionLimits,
  temporary: '' | 'TEMPORARY',
): Promise<void> {
  const replication = await DatabaseSession.open(session.address, limits, { replication: true })
  try {
    await replication.query(
      `CREATE_REPLICATION_SLOT ${quotedIdentifier(slot)} ${temporary} LOGICAL pgoutput NOEXPORT_SNAPSHOT`,
    )
  } catch (error) {
    const isLate = error instanceof CaptureProblem && error.state === undefined
    if (!isLate) throw error
    await session.query('SELECT pg_terminate_backend($1)', [String(replication.serverPid)])
    throw await lateSlot(session, error)
  } finally {
    await replication.close()
  }
}

/** A slot is made only when all transactions have ended that run now; names the oldest one. */
async function lateSlot(session: DatabaseSession, error: CaptureProblem): Promise<CaptureProblem> {
  const [oldest] = await session.query(
    `SELECT pid, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity
     WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1`,
  )
  if (oldest === undefined) return error
  return new CaptureProblem(
    'database_unreachable',
    `the replication slot could not be made, because a transaction has been open for ${oldest[1]} s (process ${oldest[0]} of the server); end it`,
    true,
  )
}

/** Succeeds if they are gone already. Does not touch a slot or a publication that is not ours. Rejects with CaptureProblem. */
export async function dropFromDatabase(target: CaptureTarget, limits: SessionLimits): Promise<void> {
  const session = await DatabaseSession.open(databaseAddressOf(target.connectionString), limits)
  try {
    await dropSlot(session, target.slot)
    await session.query(`
      DO $do$ BEGIN
        IF EXISTS (SELECT FROM pg_publication WHERE pubname = ${quotedText(target.publication)}
          AND obj_description(oid, 'pg_publication') = ${quotedText(PUBLICATION_COMMENT)})
        THEN DROP PUBLICATION ${quotedIdentifier(target.publication)}; END IF;
      END $do$`)
  } finally {
    await session.close()
  }
}

const DROP_TRIES = 50
const DROP_WAIT_MS = 100

/** A connection that still uses the slot is ended. */
export async function dropSlot(session: DatabaseSession, slot: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const [found] = await session.query(
      `SELECT active_pid FROM pg_replication_slots
       WHERE slot_name = $1 AND plugin = 'pgoutput' AND database = current_database()`,
      [slot],
    )
    if (found === undefined) return
    if (found[0] !== null) await session.query('SELECT pg_terminate_backend($1)', [found[0]])
    try {
      await session.query('SELECT pg_drop_replication_slot($1)', [slot])
      return
    } catch (error) {
      const { state } = error as CaptureProblem
      if (state === '42704') return // dropped in the meantime
      if (state !== '55006' || tries === DROP_TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, DROP_WAIT_MS))
    }
  }
}

/** Milliseconds to wait for a lock on a table: a waiting ALTER would make other statements wait behind it. */
const LOCK_MS = 5_000

/**
 * Puts tables into the publication, after checking once more in the same transaction that they can be captured. The lock of ALTER
 * PUBLICATION keeps their identity from changing until it is committed. Rejects with CaptureProblem; then none was added.
 */
export async function publishTables(
  session: DatabaseSession,
  publication: string,
  names: readonly TableName[],
): Promise<readonly CapturedTable[]> {
  if (names.length === 0) return []
  return session.transaction(async () => {
    await session.query(`SET LOCAL lock_timeout = ${LOCK_MS}`)
    const present = await session.query(
      'SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1',
      [publication],
    )
    const isPresent = ({ schema, table }: TableName) =>
      present.some(([presentSchema, presentTable]) => presentSchema === schema && presentTable === table)
    const missing = names.filter((name) => !isPresent(name))
    const before = await describeTables(session, names)
    checkCapturable(names, before)
    if (missing.length > 0) {
      await checkOwner(session, missing)
      const list = missing.map((name) => quotedTable(name)).join(', ONLY ')
      await session.query(`ALTER PUBLICATION ${quotedIdentifier(publication)} ADD TABLE ONLY ${list}`)
    }
    // The tables are locked now: what is seen here holds until the commit.
    const after = await describeTables(session, names)
    return checkCapturable(names, after)
  })
}

/** PostgreSQL lets only the owner of a table publish it. */
async function checkOwner(session: DatabaseSession, names: readonly TableName[]): Promise<void> {
  const [foreign] = await session.query(
    `SELECT n.nspname, c.relname, current_user FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND NOT pg_has_role(c.relowner, 'USAGE') LIMIT 1`,
    [names.map(({ schema }) => schema), names.map(({ table }) => table)],
  )
  if (foreign === undefined) return
  const [schema, table, user] = foreign
  const name = printedTable({ schema: schema!, table: table! })
  throw lacking(
    `role ${user} does not own table ${name}, so it may not publish it; run ALTER TABLE ${name} OWNER TO ${printedName(user!)}`,
  )
}

function checkCapturable(
  names: readonly TableName[],
  described: readonly {
    readonly schema: string
    readonly table: string
    readonly captured: CapturedTable | undefined
    readonly problem: { readonly code: CaptureProblem['code']; readonly message: string } | undefined
  }[],
): readonly CapturedTable[] {
  return names.map((name) => {
    const found = described.find(({ schema, table }) => schema === name.schema && table === name.table)
    if (found === undefined) {
      throw new CaptureProblem('schema_mismatch', `there is no table ${printedTable(name)}`, false)
    }
    if (found.captured === undefined) {
      throw new CaptureProblem(found.problem!.code, found.problem!.message, false)
    }
    return found.captured
  })
}

/** Takes a table out of the publication, so that PostgreSQL no longer refuses changes of it. It may be gone already. */
export async function unpublishTable(
  session: DatabaseSession,
  publication: string,
  oid: number,
): Promise<void> {
  const [found] = await session.query(
    `SELECT n.nspname, c.relname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
     JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE p.pubname = $1 AND r.prrelid = $2::oid`,
    [publication, String(oid)],
  )
  if (found === undefined) return
  const table = quotedTable({ schema: found[0]!, table: found[1]! })
  await session.query(`ALTER PUBLICATION ${quotedIdentifier(publication)} DROP TABLE ONLY ${table}`)
}
