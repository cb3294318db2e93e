import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/clients/**'], // they need Java, Maven and the network
    setupFiles: ['test/support/seeds.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
