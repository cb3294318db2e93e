/** Key words of PostgreSQL's grammar by what else they may be. Every other word may be any name. */

/** No name without quotes, but a label behind AS. */
export const RESERVED = wordsOf(`
  all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create current_catalog
  current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end except
  false fetch for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp
  not null offset on only or order placing primary references returning select session_user some symmetric table then to
  trailing true union unique user using variadic when where window with`)

/** Names of functions and types, not of tables and columns. */
export const FUNCTION_OR_TYPE = wordsOf(`
  authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left like natural
  notnull outer overlaps right similar tablesample verbose`)

/** Names of tables and columns, not of functions. */
export const COLUMN_OR_TABLE = wordsOf(`
  between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int integer
  interval least national nchar none normalize nullif numeric out overlay position precision real row setof smallint
  substring time timestamp treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces
  xmlparse xmlpi xmlroot xmlserialize xmltable`)

/** Labels of a select list only behind AS. */
export const LABEL_NEEDS_AS = wordsOf(`
  array as char character create day except fetch filter for from grant group having hour intersect into isnull limit minute
  month notnull offset on order over overlaps precision returning second to union varying where window with within without
  year`)

/** A statement that begins so is not a query. */
export const OTHER_STATEMENTS = wordsOf(`
  abort alter analyse analyze begin call checkpoint close cluster comment commit copy create deallocate declare delete discard
  do drop end execute explain fetch grant import insert listen load lock merge move notify prepare reassign refresh reindex
  release reset revoke rollback savepoint security set show start truncate unlisten update vacuum`)

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}
