// Lines as Hadoop 3.4.3 printed them.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { duration, header, progressText, rowText, tookText } from './texts.ts'

const zone = process.env['TZ']
beforeAll(() => {
  process.env['TZ'] = 'UTC'
})
afterAll(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

const atMs = Date.UTC(2026, 10, 22, 20, 32, 12)

test('a balanced cluster is reported as by HDFS', () => {
  const row = { atMs, iteration: 0, moved: 0, left: 0, moving: 0, blocksMoved: 0, uri: 'hdfs://localhost:9931' }
  expect(header + rowText(row) + tookText(atMs, 1099)).toBe(
    'Time Stamp               Iteration#  Bytes Already Moved  Bytes Left To Move  Bytes Being Moved  NameNode\n' +
      'Nov 22, 2026, 8:32:12 PM          0                  0 B                 0 B                0 B                  0  hdfs://localhost:9931\n' +
      'Nov 22, 2026, 8:32:12 PM Balancing took 1.099 seconds\n',
  )
})

test.each([
  [88, '88.0 milliseconds'],
  [150_000, '2.5 minutes'],
  [7_200_000, '2.0 hours'],
])('%d ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test('progress says how much, how fast, under which limit, and how long it takes', () => {
  expect(progressText(100 * 2 ** 20, 400 * 2 ** 20, 10_000, 20 * 2 ** 20)).toBe(
    'moved 100 MB of 400 MB, 10 MB/s (at most 20 MB/s a datanode), 30 s left',
  )
  expect(progressText(0, 400 * 2 ** 20, 0, undefined)).toBe('moved 0 B of 400 MB, 0 B/s')
})
