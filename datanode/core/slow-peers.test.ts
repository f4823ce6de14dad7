import { expect, test } from 'vitest'
import { SlowPeers } from './slow-peers.ts'

function record(peers: SlowPeers, latencies: Record<string, number>, samples: number, atMs = 0): void {
  for (let i = 0; i < samples; i++) for (const [uuid, ms] of Object.entries(latencies)) peers.record(uuid, ms, atMs)
}

test('a peer that takes far longer than the median of all is slow, with its mean', () => {
  const peers = new SlowPeers()
  record(peers, { a: 4, b: 6, c: 5, d: 200 }, 20)
  expect(peers.slow(0)).toEqual([{ uuid: 'd', latencyMs: 200 }])
})

test('nobody is slow among few peers, on few packets, below the floor, or when all are slow', () => {
  const few = new SlowPeers()
  record(few, { a: 4, d: 400 }, 50)
  expect(few.slow(0)).toEqual([])
  const early = new SlowPeers()
  record(early, { a: 4, b: 4, c: 4, d: 400 }, 19)
  expect(early.slow(0)).toEqual([])
  const quick = new SlowPeers()
  record(quick, { a: 1, b: 1, c: 1, d: 49 }, 50)
  expect(quick.slow(0)).toEqual([])
  const busy = new SlowPeers()
  record(busy, { a: 300, b: 350, c: 400, d: 420 }, 50)
  expect(busy.slow(0)).toEqual([])
})

test('a peer that has recovered, or is not heard of any more, is forgotten after some minutes', () => {
  const peers = new SlowPeers()
  record(peers, { a: 4, b: 6, c: 5, d: 200 }, 30)
  record(peers, { a: 4, b: 6, c: 5, d: 5 }, 30, 200_000)
  expect(peers.slow(200_000)).toEqual([{ uuid: 'd', latencyMs: 103 }])
  record(peers, { a: 4, b: 6, c: 5, d: 5 }, 30, 400_000)
  expect(peers.slow(400_000)).toEqual([])
  record(peers, { a: 4, b: 6, c: 5, d: 200 }, 30, 500_000)
  expect(peers.slow(2_000_000)).toEqual([])
})
