import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { leveled, LogBound } from './role-log.ts'
import type { LogSink } from './role-log.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'quarry-log-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it('a log that is written to begins anew at its bound, keeps what was there aside, and loses no line in between', () => {
  const file = path.join(dir, 'role.log')
  const fd = openSync(file, 'a')
  try {
    const bound = new LogBound(fd, file, 1000)
    const line = (n: number) => `${String(n).padStart(8, '0')}\n`
    for (let n = 0; n < 450; n++) {
      writeSync(fd, line(n))
      bound.wrote(9)
      expect(statSync(file).size).toBeLessThanOrEqual(1000)
    }
    const kept = readFileSync(`${file}.1`, 'utf8') + readFileSync(file, 'utf8')
    const numbers = kept.trimEnd().split('\n').map(Number)
    expect(numbers.at(-1)).toBe(449)
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 450 - numbers.length + index))
    expect(numbers.length).toBeGreaterThan(100)
  } finally {
    closeSync(fd)
  }
})

it('counts what others wrote to the file, too', () => {
  const file = path.join(dir, 'role.log')
  appendFileSync(file, 'x'.repeat(900))
  const fd = openSync(file, 'a')
  try {
    const bound = new LogBound(fd, file, 1000)
    appendFileSync(file, 'y'.repeat(300))
    bound.wrote(101)
    expect(statSync(file).size).toBe(0)
    expect(statSync(`${file}.1`).size).toBe(1200)
  } finally {
    closeSync(fd)
  }
})

it('logs by a level that changes for parents and children at once', () => {
  const lines: string[] = []
  const sink = (name: string): LogSink => {
    const write = (severity: string) => (_: object, event: string) => void lines.push(`${name} ${severity} ${event}`)
    return {
      error: write('error'),
      warn: write('warn'),
      info: write('info'),
      debug: write('debug'),
      child: (fields) => sink(String(fields['role'])),
    }
  }
  const root = leveled(sink('root'), 'info')
  const child = root.child({ role: 'child' })
  const all = (round: number) => {
    for (const log of [root, child]) for (const severity of ['error', 'warn', 'info', 'debug'] as const) log[severity](String(round))
  }
  all(1)
  expect(child.level?.('error')).toBe('error')
  expect(root.level?.()).toBe('error')
  all(2)
  root.level?.('debug')
  all(3)
  const of = (name: string, round: number, ...severities: string[]) => severities.map((severity) => `${name} ${severity} ${round}`)
  expect(lines).toEqual([
    ...of('root', 1, 'error', 'warn', 'info'),
    ...of('child', 1, 'error', 'warn', 'info'),
    ...of('root', 2, 'error'),
    ...of('child', 2, 'error'),
    ...of('root', 3, 'error', 'warn', 'info', 'debug'),
    ...of('child', 3, 'error', 'warn', 'info', 'debug'),
  ])
})
