/** The names of tables and views. */
import { invalid } from './refusal.ts'

const NAME_CHARACTERS_MAX = 256

/** Throws ServiceError 'invalid_table'. */
export function assertTableName(name: string): void {
  const { length } = name
  if (length < 1 || length > NAME_CHARACTERS_MAX) {
    throw invalid(`name has ${length} characters; use 1 to ${NAME_CHARACTERS_MAX}`)
  }
  if (/[`\p{Cc}\p{Cs}]/u.test(name))
    throw invalid('name has a back-tick or a control character; leave it out')
}
