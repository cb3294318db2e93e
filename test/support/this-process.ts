/** The process of the service as `createApp` takes it, with figures that stand still. */
import type { ServiceProcess } from '../../src/process/service-process.ts'

export function thisProcess(given: Partial<ServiceProcess> = {}): ServiceProcess {
  return {
    build: { version: '1.2.3', commit: 'abcdef0' },
    settings: [
      { key: 'port', value: '11015' },
      { key: 'tls-key', value: '******' },
    ],
    figures: () => ({
      heap: { used: 10, total: 20, limit: 40 },
      ...{ externalBytes: 5, residentBytes: 100, cpuLoad: 0.25, cpuMs: 1_500, threads: 11 },
      gc: [{ name: 'minor', count: 3, ms: 4.5 }],
    }),
    ...{ logs: undefined, shutdown: undefined, ...given },
  }
}
