/** A semaphore for one caller at a time. */
import { Semaphore } from './semaphore.ts'

export class Mutex extends Semaphore {
  constructor() {
    super(1)
  }

  /**
   * Undefined if the caller has the lock now, otherwise a promise that resolves when it has it. Call `unlock` once for
   * each.
   */
  lock(): Promise<void> | undefined {
    return this.acquire()
  }

  unlock(): void {
    this.release()
  }
}
