import { expect, test } from 'vitest'
import { silentLogger } from '../common/env.ts'
import { SeededRandom } from '../common/testing/seeded-random.ts'
import { VirtualClock } from '../common/testing/virtual-clock.ts'
import { LeaseRenewer } from './lease-renewer.ts'
import { FakeCluster } from './testing/fake-cluster.ts'

function setUp(softLeaseMs: number) {
  const cluster = new FakeCluster()
  const clock = new VirtualClock()
  const lease = new LeaseRenewer({
    holder: 'h',
    namenode: cluster.namenode,
    env: { clock, random: new SeededRandom(1), log: silentLogger },
    softLeaseMs: async () => softLeaseMs,
  })
  return { clock, lease, renewals: () => cluster.callsOf('renewLease').length }
}

/** Lets the question for the soft limit be answered. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('one renewal covers all open files, three in a soft limit, and ends with the last file', async () => {
  const { clock, lease, renewals } = setUp(60_000)
  const first = lease.hold(() => {})
  const second = lease.hold(() => {})
  await settle()
  await clock.advance(19_000)
  expect(renewals()).toBe(0)
  await clock.advance(42_000)
  expect(renewals()).toBe(3)
  first()
  first()
  await clock.advance(20_000)
  expect(renewals()).toBe(4)
  second()
  await clock.advance(600_000)
  expect(renewals()).toBe(4)
})

test('a short soft limit is kept from the first file on', async () => {
  const { clock, lease, renewals } = setUp(900)
  lease.hold(() => {})
  await settle()
  await clock.advance(1000)
  expect(renewals()).toBe(3)
})

test('closing gives up what is open', () => {
  const { lease } = setUp(60_000)
  let gone = 0
  lease.hold(() => gone++)
  lease.hold(() => gone++)()
  lease.close()
  expect(gone).toBe(1)
})
