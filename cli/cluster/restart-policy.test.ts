import { expect, it } from 'vitest'
import { deathsMax, deathsWindowMs, restartDecision } from './restart-policy.ts'

const died = (atMs: number) => ({ code: null, signal: 'SIGKILL', atMs }) as const

it('starts a role that died again, later each time, and gives up after five deaths within five minutes', () => {
  const deaths: number[] = []
  const decisions = []
  for (let atMs = 0; decisions.length < deathsMax; atMs += 1000) {
    deaths.push(atMs)
    decisions.push(restartDecision(died(atMs), deaths, undefined))
  }
  expect(decisions).toEqual([
    { kind: 'restart', afterMs: 200 },
    { kind: 'restart', afterMs: 600 },
    { kind: 'restart', afterMs: 1800 },
    { kind: 'restart', afterMs: 5400 },
    { kind: 'given-up', deaths: 5 },
  ])
})

it('forgets deaths that are long ago', () => {
  const deaths = [0, 1, 2, 3, deathsWindowMs + 10]
  expect(restartDecision(died(deathsWindowMs + 10), deaths, undefined)).toEqual({ kind: 'restart', afterMs: 200 })
})

it('leaves alone what was told to stop, and what said why it cannot run', () => {
  expect(restartDecision({ code: 0, signal: null, atMs: 1 }, [1], undefined)).toEqual({ kind: 'stopped' })
  expect(restartDecision({ code: 1, signal: null, atMs: 1 }, [1], 'belongs to another cluster')).toEqual({
    kind: 'refused',
    reason: 'belongs to another cluster',
  })
  expect(restartDecision({ code: 70, signal: null, atMs: 1 }, [1], undefined).kind).toBe('restart')
})
