// The test suites. `npm test` runs unit, cli, integration and sim; `npm run test:long` the long ones; test/interop needs foreign
// programs and is run by .ci/run and by name.
//
//   unit         x.test.ts beside x.ts, and test/conformance: milliseconds, no sockets
//   cli          test/cli: the real binary, as a user runs it
//   integration  test/integration: real sockets, real processes
//   sim          test/sim: the whole store in one process on a virtual clock, network and disk
//   long         *.long.test.ts anywhere: thousands of steps, crash loops, large files
//   interop      test/interop: against foreign clients and servers
import { defineConfig } from 'vitest/config'

const built = ['./test/support/build-once.ts']
const never = ['**/node_modules/**', '**/dist/**']
const long = '**/*.long.test.ts'

export default defineConfig({
  test: {
    // Clusters of processes share the machine with the tests: more workers than this only wait for each other.
    maxWorkers: 2,
    pool: 'forks',
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{common,proto,namenode,datanode,client,compute,cli,gateway,bench,scripts}/**/*.test.ts',
            'test/conformance/**/*.test.ts',
            'test/{support,chaos,fuzz}/**/*.test.ts',
            'test/*.test.ts',
          ],
          exclude: [...never, long],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'cli',
          include: ['test/cli/**/*.test.ts'],
          exclude: [...never, long],
          globalSetup: built,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: [...never, long],
          globalSetup: built,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'sim',
          include: ['test/sim/**/*.test.ts'],
          exclude: [...never, long],
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'long',
          include: [long],
          exclude: never,
          globalSetup: built,
          testTimeout: 900_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          exclude: [...never, long],
          globalSetup: built,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
