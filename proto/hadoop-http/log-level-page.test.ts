import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import type { Logger, LogLevel } from '../../common/env.ts'
import { logLevelPage } from './log-level-page.ts'

function logger(): Logger & { current: LogLevel } {
  const log: Logger & { current: LogLevel } = {
    ...silentLogger,
    current: 'info',
    level: (change) => (log.current = change ?? log.current),
  }
  return log
}

const local = { host: '127.0.0.1:9870' }

function ask(log: Logger, query: string, headers: Record<string, string> = local, address = '127.0.0.1') {
  const { status, body } = logLevelPage(log, { query: new URLSearchParams(query), headers, address })
  // What Hadoop's program prints of it.
  const lines = body.split('\n').filter((line) => line.startsWith('<!-- OUTPUT -->'))
  return { status, body, printed: lines.map((line) => line.replace(/<[^<>]*>/g, '')) }
}

describe('/logLevel', () => {
  it('says the level in the lines that Hadoop prints', () => {
    expect(ask(logger(), 'log=org.apache.hadoop.hdfs.StateChange').printed).toEqual([
      'Submitted Class Name: org.apache.hadoop.hdfs.StateChange',
      'Log Class: quarry',
      'Effective Level: INFO',
    ])
  })

  it.each([
    ['DEBUG', 'debug'],
    ['trace', 'debug'],
    ['WARN', 'warn'],
    ['FATAL', 'error'],
    ['OFF', 'error'],
  ] as const)('takes %s as %s', (wanted, level) => {
    const log = logger()
    const { status, printed } = ask(log, `log=x&level=${wanted}`)
    expect(status).toBe(200)
    expect(printed.slice(2)).toEqual([
      `Submitted Level: ${wanted}`,
      `Setting Level to ${wanted.toUpperCase()} ...`,
      `Effective Level: ${level.toUpperCase()}`,
    ])
    expect(log.current).toBe(level)
  })

  it('leaves a trace in the log', () => {
    const log = logger()
    const lines: unknown[] = []
    log.info = (event, fields) => void lines.push([event, fields])
    ask(log, 'log=x&level=DEBUG')
    expect(lines).toEqual([['log.level.changed', { before: 'info', level: 'debug' }]])
  })

  it('keeps the level when it does not know the word', () => {
    const log = logger()
    expect(ask(log, 'log=x&level=toString').printed.slice(3)).toEqual(['Bad Level : toString', 'Effective Level: INFO'])
    expect(log.current).toBe('info')
  })

  it.each([
    ['another machine', local, '10.0.0.7'],
    ['another machine by IPv6', local, '::ffff:10.0.0.7'],
    ['a proxy on this machine', { ...local, 'x-forwarded-for': '10.0.0.7' }, '127.0.0.1'],
    ['a web page of another site', { ...local, 'sec-fetch-site': 'cross-site' }, '127.0.0.1'],
    ['a script of another site', { ...local, origin: 'https://example.org' }, '127.0.0.1'],
    ['a name that was made to lead here', { host: 'example.org:9870' }, '127.0.0.1'],
    ['no host', {}, '127.0.0.1'],
  ])('refuses a change from %s, and still shows it the level', (_, headers, address) => {
    const log = logger()
    expect(ask(log, 'log=x&level=DEBUG', headers as Record<string, string>, address).status).toBe(403)
    expect(log.current).toBe('info')
    expect(ask(log, 'log=x', headers as Record<string, string>, address).status).toBe(200)
  })

  it.each([
    ['localhost:9870', '::1'],
    ['[::1]:9870', '::1'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
  ])('takes a change sent to %s from %s', (host, address) => {
    const log = logger()
    expect(ask(log, 'log=x&level=DEBUG', { host }, address).status).toBe(200)
    expect(log.current).toBe('debug')
  })

  it('escapes what it repeats', () => {
    const { body } = ask(logger(), `log=${encodeURIComponent('<script>"&\'')}&level=${encodeURIComponent('<img src=x>')}`)
    expect(body).toContain('Submitted Class Name: <b>&lt;script&gt;&quot;&amp;&#39;</b>')
    expect(body).toContain('Bad Level : <b>&lt;img src=x&gt;</b>')
    expect(body).not.toMatch(/<script|<img/)
  })

  it('repeats no more than a part of what is endless', () => {
    expect(ask(logger(), `log=${'x'.repeat(100_000)}`).body.length).toBeLessThan(2000)
  })

  it('without a name says how it is used, and without a log that there is none', () => {
    expect(ask(logger(), '').printed).toEqual([])
    expect(ask(silentLogger, 'log=x').printed.at(-1)).toBe('This process keeps no log.')
  })
})
