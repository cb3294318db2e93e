/** Functions of Flink as macros of DuckDB: statements that create them. */
export const FLINK_MACROS: readonly string[] = []
