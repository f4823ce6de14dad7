import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseBalancer } from './arguments.ts'

const options = (...words: string[]) => {
  const parsed = parseBalancer(words)
  if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed))
  return parsed.options
}
const wrong = (...words: string[]) => {
  const parsed = parseBalancer(words)
  return parsed.kind === 'wrong' ? parsed.message : parsed.kind
}

test("without flags HDFS's defaults hold", () => {
  expect(options()).toEqual({
    threshold: 10,
    idleIterations: 5,
    include: new Set(),
    exclude: new Set(),
    source: new Set(),
    bandwidth: undefined,
    json: false,
  })
})

test('flags have one dash or two', () => {
  const words = ['-threshold', '2.5', '-policy', 'datanode', '-exclude', 'a,b:1', '-idleiterations', '-1', '-bandwidth', '10m']
  expect(options(...words)).toMatchObject({ threshold: 2.5, exclude: new Set(['a', 'b:1']), idleIterations: -1, bandwidth: 10 * 2 ** 20 })
  expect(options(...words.map((word) => (/^-[a-z]/.test(word) ? `-${word}` : word)))).toEqual(options(...words))
  expect(options('--idle-iterations', '3').idleIterations).toBe(3)
})

test('hosts may stand in a file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'quarry-balancer-'))
  try {
    writeFileSync(join(dir, 'hosts'), 'a # the first\nb:9866\n\n')
    expect(options('-include', '-f', join(dir, 'hosts')).include).toEqual(new Set(['a', 'b:9866']))
    expect(wrong('-include', '-f', join(dir, 'nothing'))).toMatch(/^Failed to read include node list from file: .*nothing: ENOENT/)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test.each([
  [['-threshold', '0'], 'Expecting a number in the range of [1.0, 100.0]: 0'],
  [['-threshold', 'x'], 'Expecting a number in the range of [1.0, 100.0]: x'],
  [['-threshold'], 'Threshold value is missing: args = [-threshold]'],
  [['-policy', 'foo'], 'Illegal policy name: foo'],
  [['-include', 'a', '-exclude', 'b'], '-exclude and -include options cannot be specified together.'],
  [['-idleiterations', 'x'], 'idleiterations is "x"; expected a whole number'],
  [['-bandwidth', '0'], 'bandwidth is "0"; expected bytes a second, such as 104857600 or 100m'],
  [['-asService'], '-asService: Quarry has no balancer that stays: run it from a timer.'],
  [['-frob'], 'Unknown argument -frob'],
  [['frob'], 'Unknown argument frob'],
  [['-help'], 'help'],
])('%j is answered with: %s', (words, message) => {
  expect(wrong(...words)).toBe(message)
})
