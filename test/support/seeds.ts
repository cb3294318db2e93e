/**
 * `npm test` draws the same random inputs every time: it turns red for what was changed, not by chance on the machine of
 * somebody who changed nothing. The long form, `npm run test:faults`, draws new ones.
 */
import fc from 'fast-check'
import { SEED } from './effort.ts'

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED })
