/** At the end of each file no topics of its tests are left, so that a broker of many tests does not keep the files of all of them. */
import { afterAll } from 'vitest'
import { endKafkaStores } from './kafka-stores.ts'

afterAll(endKafkaStores, 120_000)
