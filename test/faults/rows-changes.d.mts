import type { RowTexts } from '../../src/cdc/events/change-events.ts'

export const LIMITS: { readonly writeBytes: number; readonly stageBytes: number }
export const TABLES: readonly number[]
export const KEYS: number

export interface RowsChange {
  readonly op: 'clear' | 'remove' | 'put'
  readonly table: number
  readonly key: readonly [string]
  readonly row: RowTexts
}

export function changesOf(n: number): readonly RowsChange[]
