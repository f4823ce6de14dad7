// /logLevel as `hadoop daemonlog` asks it: reads how much the role logs, or changes it. Quarry has one level for everything, so every
// name that is asked for stands for it. The program prints the lines that begin with a mark, without their tags.
import { isLoopback } from '../../common/config.ts'
import type { Logger, LogLevel } from '../../common/env.ts'
import { escapeText, htmlPage } from './html.ts'
import type { PageAnswer, PageRequest } from './pages.ts'

const mark = '<!-- OUTPUT -->'
/** Names of classes are shorter. */
const textMax = 512

/** Hadoop knows more levels: all and trace are as debug here; fatal and off as error, the least that is ever logged. */
const levels: Readonly<Record<string, LogLevel>> = {
  ALL: 'debug',
  TRACE: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
  FATAL: 'error',
  OFF: 'error',
}

export function logLevelPage(log: Logger, request: PageRequest): PageAnswer {
  const name = (request.query.get('log') ?? '').slice(0, textMax)
  const wanted = (request.query.get('level') ?? '').slice(0, textMax)
  if (name === '') return page(200, [])
  const lines = [`Submitted Class Name: ${bold(name)}`, `Log Class: ${bold('quarry')}`]
  if (wanted !== '') {
    const refusal = whyRefused(request)
    if (refusal !== undefined) return page(403, [...lines, refusal])
    lines.push(`Submitted Level: ${bold(wanted)}`, change(log, wanted))
  }
  const level = log.level?.()
  return page(200, [...lines, level === undefined ? 'This process keeps no log.' : `Effective Level: ${bold(level.toUpperCase())}`])
}

function change(log: Logger, wanted: string): string {
  const name = wanted.toUpperCase()
  const level = Object.hasOwn(levels, name) ? levels[name] : undefined
  if (level === undefined) return `Bad Level : ${bold(wanted)}`
  const before = log.level?.()
  log.level?.(level)
  log.info('log.level.changed', { before, level })
  return `Setting Level to ${name} ...`
}

/**
 * Nothing authenticates callers, and a change is a GET: it is taken only from a program on this machine. A web page that the
 * operator's browser shows could send one too, and so could whoever stands behind a proxy on this machine; both leave traces.
 */
function whyRefused({ address, headers }: PageRequest): string | undefined {
  if (!isLoopback(address.replace(/^::ffff:/, ''))) return 'Levels are changed from the machine itself only.'
  if (headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined || headers['via'] !== undefined)
    return 'Levels are not changed through a proxy.'
  const site = headers['sec-fetch-site']
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (foreign || headers['origin'] !== undefined || !isLoopback(hostOf(headers['host'])))
    return 'Levels are changed only by requests to localhost that no other web page has made.'
  return undefined
}

/** A page of a foreign name that was made to lead here still sends that name. */
function hostOf(header: string | undefined): string {
  return (header ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

const bold = (text: string) => `<b>${escapeText(text)}</b>`

function page(status: number, lines: readonly string[]): PageAnswer {
  const results = lines.map((line) => `${mark}${line}<br />\n`).join('')
  const usage =
    '<p>hadoop daemonlog -getlevel HOST:PORT NAME, or -setlevel HOST:PORT NAME LEVEL. All names mean the one level of this process.</p>\n'
  return { status, type: 'text/html; charset=utf-8', body: htmlPage('Log Level', `${results}${usage}`) }
}
