/**
 * The second check of a plan's SQL, in the process that runs it: each text is one SELECT that reads only relations of the
 * plan, in no schema, and no table functions that read files, settings or the catalog. The planner has checked the
 * statement before; this check holds even if the planner is wrong.
 */
import type { JobPlan } from '../plan/job-plan.ts'
import type { JobConnection } from './job-connection.ts'
import { JobError } from './job-error.ts'

/** They make rows from their arguments alone. */
const TABLE_FUNCTIONS = new Set(['unnest', 'range', 'generate_series', 'repeat_row'])
/** Functions that show or change something outside of their arguments. */
const FUNCTIONS_REFUSED =
  /^(read_|parquet_|pragma_|duckdb_|pg_|current_(setting|database|schema|schemas|catalog|query|user|role)$|getenv$|getvariable$|nextval$|currval$|query$|query_table$|in_search_path$|has_.*_privilege$|glob$|sniff_csv$|which_secret$|json_execute_serialized_sql$|txid_current$|version$|set_config$|write_log$|sql_auto_complete$|checkpoint$|force_checkpoint$|test_)/

interface Scope {
  readonly relations: ReadonlySet<string>
  readonly withs: ReadonlySet<string>
}

/** Rejects with JobError. */
export async function guardPlan(plan: JobPlan, connection: JobConnection): Promise<void> {
  const relations = new Set([
    ...plan.sources.flatMap(({ relation }) => [relation, `in_${relation}`]),
    ...plan.lookups.map(({ relation }) => relation),
    ...plan.fixed.map(({ relation }) => relation),
    ...plan.inserts.flatMap(relationsOf),
  ])
  for (const sql of new Set(textsOf(plan))) {
    const tree = await parsed(sql, connection)
    check(tree, { relations, withs: new Set() }, sql)
  }
}

function relationsOf(insert: JobPlan['inserts'][number]): readonly string[] {
  if (insert.way === 'window') return insert.windows.map(({ relation }) => relation)
  if (insert.way === 'refresh') return insert.refresh.bases.map(({ relation }) => relation)
  return insert.way === 'running' ? ['merged'] : []
}

function textsOf(plan: JobPlan): string[] {
  const texts = plan.sources.flatMap(({ view, watermark, relation }) => [
    view,
    ...(watermark === undefined ? [] : [`SELECT ${watermark} FROM ${relation}`]),
  ])
  texts.push(...plan.lookups.map(({ keys }) => keys))
  for (const insert of plan.inserts) {
    if (insert.way === 'running') texts.push(insert.running.input)
    else if (insert.way === 'refresh') texts.push(insert.refresh.select)
    else texts.push(insert.select)
    if (insert.way === 'window') texts.push(...insert.windows.map(({ input }) => input))
  }
  return texts
}

/** `json_serialize_sql` accepts SELECT statements only. */
async function parsed(sql: string, connection: JobConnection): Promise<unknown> {
  const [row] = await connection.rows('SELECT json_serialize_sql($1::VARCHAR)::VARCHAR', sql)
  const tree = JSON.parse(String(row?.[0])) as {
    error: boolean
    error_message?: string
    statements?: unknown[]
  }
  if (tree.error || tree.statements?.length !== 1)
    throw refused(`is not one SELECT: ${tree.error_message ?? 'several statements'}`, sql)
  return tree
}

function check(node: unknown, scope: Scope, sql: string): void {
  if (Array.isArray(node)) {
    for (const part of node) check(part, scope, sql)
    return
  }
  if (node === null || typeof node !== 'object') return
  const members = node as Record<string, unknown>
  const inner = withNames(members, scope)
  checkRelation(members, inner, sql)
  for (const member of Object.values(members)) check(member, inner, sql)
}

function checkRelation(node: Record<string, unknown>, { relations, withs }: Scope, sql: string): void {
  const { type, class: nodeClass } = node
  if (type === 'BASE_TABLE') {
    const { catalog_name, schema_name, table_name } = node as Record<string, string>
    if (catalog_name || schema_name || !(relations.has(table_name!) || withs.has(table_name!)))
      throw refused(`reads ${[catalog_name, schema_name, table_name].filter(Boolean).join('.')}`, sql)
  }
  if (type === 'TABLE_FUNCTION') {
    const name = String((node.function as Record<string, unknown> | undefined)?.function_name)
    if (!TABLE_FUNCTIONS.has(name)) throw refused(`calls ${name}`, sql)
  }
  if (type === 'SHOW_REF' || type === 'DELIM_GET') throw refused(`has ${String(type)}`, sql)
  if (nodeClass !== 'FUNCTION') return
  const { schema, catalog, function_name } = node as Record<string, string>
  if (
    (schema && schema !== 'main') ||
    (catalog && catalog !== 'memory') ||
    FUNCTIONS_REFUSED.test(function_name!)
  )
    throw refused(`calls ${[catalog, schema, function_name].filter(Boolean).join('.')}`, sql)
}

function withNames(node: Record<string, unknown>, scope: Scope): Scope {
  const map = (node.cte_map as { map?: readonly { key: string }[] } | undefined)?.map
  const own = node.type === 'RECURSIVE_CTE_NODE' || node.type === 'CTE_NODE' ? [String(node.cte_name)] : []
  if ((map === undefined || map.length === 0) && own.length === 0) return scope
  return {
    relations: scope.relations,
    withs: new Set([...scope.withs, ...(map ?? []).map(({ key }) => key), ...own]),
  }
}

function refused(what: string, sql: string): JobError {
  return new JobError(`the plan is refused: a statement ${what}: ${sql.slice(0, 200)}`, 'lasting')
}
