/** A parser and a printer of DuckDB for tests of trees, and the tables that their statements read. */
import { DuckDBInstance } from '@duckdb/node-api'
import type { TypedColumn } from '../../src/sql/data-types.ts'
import { FLINK_MACROS } from '../../src/sql/flink-macros.ts'
import { type FlinkQuery, withFlinkMeaning } from '../../src/sql/meaning-flink.ts'
import { type Node, parseTree, printTree } from '../../src/sql/tree.ts'

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

export class TreeEngine {
  readonly #run: (sql: string) => Promise<unknown[][]>

  private constructor(run: (sql: string) => Promise<unknown[][]>) {
    this.#run = run
  }

  static async open(): Promise<TreeEngine> {
    const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
    for (const macro of FLINK_MACROS) await connection.run(macro)
    return new TreeEngine(async (sql) => (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][])
  }

  async parse(sql: string): Promise<Node> {
    const [[json]] = (await this.#run(`SELECT json_serialize_sql(${quoted(sql)}::VARCHAR)::VARCHAR`)) as [
      [string],
    ]
    const answer = parseTree(json)
    if (answer.error === true) throw new Error(String(answer.error_message))
    return (answer.statements as readonly { node: Node }[])[0]!.node
  }

  async print(query: Node): Promise<string> {
    const [[text]] = (await this.#run(`SELECT json_deserialize_sql(${quoted(printTree(query))}::JSON)`)) as [
      [string],
    ]
    return text
  }

  rows(sql: string): Promise<unknown[][]> {
    return this.#run(sql)
  }

  async meaning(sql: string): Promise<FlinkQuery> {
    return withFlinkMeaning(await this.parse(sql), { columnsOf: (name) => TABLES[name] })
  }
}

const column = (name: string, type: TypedColumn['type']): TypedColumn => ({ name, type, nullable: true })

export const TABLES: Readonly<Record<string, readonly TypedColumn[]>> = {
  t: [
    column('i', { kind: 'INT' }),
    column('d', { kind: 'DECIMAL', precision: 10, scale: 2 }),
    column('x', { kind: 'DOUBLE' }),
    column('s', { kind: 'STRING' }),
    column('ts', { kind: 'TIMESTAMP', precision: 3 }),
    column('z', { kind: 'TIMESTAMP_LTZ', precision: 3 }),
    column('a', { kind: 'ARRAY', element: { kind: 'BIGINT' } }),
    column('m', { kind: 'MAP', key: { kind: 'STRING' }, value: { kind: 'INT' } }),
    column('r', { kind: 'ROW', fields: [{ name: 'f', type: { kind: 'DATE' } }] }),
  ],
  u: [column('i', { kind: 'INT' }), column('y', { kind: 'SMALLINT' })],
}
