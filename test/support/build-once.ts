// Before the suites that start the real binary: bundle the sources as they are now.
import { buildProgram } from '../../scripts/build.mjs'

export async function setup(): Promise<void> {
  await buildProgram()
}
