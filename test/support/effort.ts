/**
 * Proofs that gain from time have two forms: a short one, which runs with every `npm test`, and a long one,
 * `npm run test:faults`, which sets this variable.
 */
const LONG = process.env.TEST_FAULTS === 'long'

/** Where random inputs begin: the same every time with `npm test`, elsewhere in each long run. */
export const SEED = LONG ? Math.floor(Math.random() * 2 ** 31) : 1_407_806_944

/** What this run asks for: rounds, seconds, inputs. */
export function effort<T>(choice: { readonly short: T; readonly long: T }): T {
  return LONG ? choice.long : choice.short
}

/** A proof says at its end what it did: the counts are what a reader of the run wants to see. */
export function tellProof(name: string, counts: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
  process.stdout.write(`proof ${name}: ${words.join(', ')}\n`)
}
