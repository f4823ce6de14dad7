// A few seconds of strangers at the ports of real processes; `npm run fuzz` does it for longer.
import { expect, it } from 'vitest'
import { fuzzPorts } from '../fuzz/ports.ts'

it('bytes of strangers at the ports of a namenode and a datanode: both live, keep their memory, and serve everybody else', async () => {
  const { inputs, findings } = await fuzzPorts({ seed: 20_261_122, seconds: 4 })
  expect(findings).toEqual([])
  expect(inputs).toBeGreaterThan(20)
})
