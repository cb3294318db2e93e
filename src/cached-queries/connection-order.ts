/** Runs creations and deletions of one connection one after the other. */
import type { ConnectionRequest } from './query-service.ts'

type ConnectionName = Pick<ConnectionRequest, 'namespace' | 'name'>

export class ConnectionOrder {
  readonly #changing = new Map<string, Promise<unknown>>()

  async run<T>({ namespace, name }: ConnectionName, change: () => Promise<T>): Promise<T> {
    const key = `${namespace}:${name}`
    const before = this.#changing.get(key) ?? Promise.resolve()
    const mine = before.then(change, change)
    this.#changing.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#changing.get(key) === mine) this.#changing.delete(key)
    }
  }
}
