/**
 * `npm test` draws the same random inputs every time: a red test means that the change broke something, not that this run
 * drew an unlucky input. The long form, `npm run test:proofs`, draws new ones.
 */
import fc from 'fast-check'
import { SEED } from './effort.ts'

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED })
