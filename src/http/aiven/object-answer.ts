/** Objects with one list, in slices of the event loop's time: lists grow with the number of tables, jobs and services. */
import { answerParts, arrayParts, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'

/** Answers `{"<name>":[…]}` with what `print` returns for each item; undefined omits the item. */
export function answerList<T>(
  c: HttpContext,
  name: string,
  items: Iterable<T>,
  print: (item: T) => string | undefined,
  options: SlicedAnswerOptions,
): Promise<Response> {
  return answerParts(c, async () => listParts(name, items, print), options)
}

function* listParts<T>(
  name: string,
  items: Iterable<T>,
  print: (item: T) => string | undefined,
): Generator<string | undefined> {
  yield `{${JSON.stringify(name)}:`
  yield* arrayParts(items, print)
  yield '}'
}
