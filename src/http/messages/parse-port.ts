/** The messages to and from one worker thread, and the same protocol on this thread. */
import { Worker } from 'node:worker_threads'
import { ServiceError, type ServiceErrorCode } from '../../service-error.ts'
import type { ApiDocuments } from './api-documents.ts'
import { type ParseTask, runTask } from './parse-task.ts'

/** Messages of a worker; the first is `ready`, once. */
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
  /** One task at a time. */
  post(task: ParseTask): void
  /** Calls `onEnded` with the reason if the thread ends by itself. */
  listen(onMessage: (message: FromWorker) => void, onEnded: (error: unknown) => void): void
  close(): Promise<void>
}

/** `entry` is the file that the thread runs. */
export function onAnotherThread(entry: URL, heapMb: number): ParsePort {
  const worker = new Worker(entry, {
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

/** No task is interrupted here, however long it takes. */
export function onThisThread(documents: readonly ApiDocuments[]): ParsePort {
  let send: (message: FromWorker) => void = () => {}
  return {
    post: (task) => answerTask(task, documents, send),
    listen(onMessage) {
      send = onMessage
      onMessage({ kind: 'ready' })
    },
    close: async () => {},
  }
}

/** Runs a task and sends its parts and its result, or its error. Never throws. */
export function answerTask(
  task: ParseTask,
  documents: readonly ApiDocuments[],
  send: (message: FromWorker) => void,
): void {
  try {
    send({ kind: 'done', result: runTask(task, documents, (part) => send({ kind: 'part', part })) })
  } catch (error) {
    if (error instanceof ServiceError) {
      const { code, message, cause } = error
      send({ kind: 'refused', code, message, cause: cause instanceof Error ? cause.message : '' })
    } else {
      send({
        kind: 'failed',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
  }
}
