/** The way to one worker thread: from the files that were built, or, run from sources, on this thread. */
import { Worker } from 'node:worker_threads'
import { ServiceError, type ServiceErrorCode } from '../../service-error.ts'
import { type ParseTask, runTask } from './parse-task.ts'

/** What a worker says; `ready` once, before everything else. */
export type FromWorker =
  | { readonly kind: 'ready'; readonly thread?: number | undefined }
  | { readonly kind: 'part'; readonly part: string }
  | { readonly kind: 'done'; readonly result: unknown }
  | {
      readonly kind: 'refused'
      readonly code: ServiceErrorCode
      readonly message: string
      readonly cause: string
    }
  | { readonly kind: 'failed'; readonly message: string }

export interface ParsePort {
  /** One at a time. */
  post(task: ParseTask): void
  /** `onEnded` is told why, if the thread ends by itself. */
  listen(onMessage: (message: FromWorker) => void, onEnded: (error: unknown) => void): void
  close(): Promise<void>
}

export function openParsePort(heapMb: number): ParsePort {
  return import.meta.url.endsWith('.ts') ? onThisThread() : onAnotherThread(heapMb)
}

function onAnotherThread(heapMb: number): ParsePort {
  const worker = new Worker(new URL('./parse-worker.js', import.meta.url), {
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    name: 'parse',
  })
  worker.unref()
  let closed = false
  return {
    post: (task) => worker.postMessage(task),
    listen(onMessage, onEnded) {
      worker.on('message', onMessage)
      worker.on('error', (error) => {
        if (!closed) onEnded(error)
        closed = true
      })
      worker.on('exit', (code) => {
        if (!closed) onEnded(new Error(`the worker thread ended with code ${code}`))
        closed = true
      })
    },
    async close() {
      closed = true
      await worker.terminate()
    },
  }
}

/** Node could not load sources on another thread. Nothing is interrupted here. */
function onThisThread(): ParsePort {
  let tell: (message: FromWorker) => void = () => {}
  return {
    post: (task) => answerTask(task, tell),
    listen(onMessage) {
      tell = onMessage
      onMessage({ kind: 'ready' })
    },
    close: async () => {},
  }
}

/** Runs a task, and tells all that comes of it. Never throws. */
export function answerTask(task: ParseTask, tell: (message: FromWorker) => void): void {
  try {
    tell({ kind: 'done', result: runTask(task, (part) => tell({ kind: 'part', part })) })
  } catch (error) {
    if (error instanceof ServiceError) {
      const { code, message, cause } = error
      tell({ kind: 'refused', code, message, cause: cause instanceof Error ? cause.message : '' })
    } else {
      tell({
        kind: 'failed',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
  }
}
