/**
 * Tests that gain from time have two forms: a short one for `npm test`, and a long one for `npm run test:proofs`, which
 * sets this variable.
 */
const LONG = process.env.TEST_EFFORT === 'long'

/** Where random inputs begin: the same every time in the short form, elsewhere in each long run. */
export const SEED = LONG ? Math.floor(Math.random() * 2 ** 31) : 1_407_806_944

/** What this run asks for: rounds, seconds, inputs. */
export function effort<T>(choice: { readonly short: T; readonly long: T }): T {
  return LONG ? choice.long : choice.short
}

/** Prints what a proof did: its counts are the result that a reader of the run looks for. */
export function tellProof(name: string, counts: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
  process.stdout.write(`proof ${name}: ${words.join(', ')}\n`)
}
