/** A table for the terminal: the first column and remarks to the left, numbers to the right. */

export interface Column<Row> {
  readonly title: string
  readonly text: (row: Row) => string
  readonly align: 'left' | 'right'
}

const BETWEEN = '  '

export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ text }) => text(row))),
  ]
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => cells[i]!.length)))
  const rule = widths.map((width) => '-'.repeat(width))
  return [lines[0]!, rule, ...lines.slice(1)].map((cells) => formatLine(columns, widths, cells)).join('')
}

function formatLine<Row>(
  columns: readonly Column<Row>[],
  widths: readonly number[],
  cells: readonly string[],
): string {
  const padded = cells.map((cell, i) =>
    columns[i]!.align === 'left' ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
  )
  return `${padded.join(BETWEEN).trimEnd()}\n`
}

/** With thousands apart, and as many digits after the point as tell something. */
export function formatNumber(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
