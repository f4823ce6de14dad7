// /conf as Hadoop's servers answer it: the settings that the role runs with, as XML or as JSON.
import type { Property } from './hadoop-keys.ts'
import { escapeText } from './html.ts'
import type { PageAnswer } from './pages.ts'

const source = 'quarry'

/** JSON for `?format=json` or where the client accepts application/json; XML else. `?name=` shows one; 404 when there is none. */
export function confPage(properties: readonly Property[], query: URLSearchParams, accept: string): PageAnswer {
  const format = query.get('format') ?? (accept.includes('application/json') ? 'json' : 'xml')
  if (format !== 'json' && format !== 'xml') return { status: 400, type: 'text/plain; charset=utf-8', body: 'format is json or xml.\n' }
  const name = query.get('name') ?? ''
  const found = name === '' ? properties : properties.filter((property) => property.name === name).slice(0, 1)
  if (name !== '' && found.length === 0) return { status: 404, type: 'text/plain; charset=utf-8', body: 'There is no such property.\n' }
  return format === 'json'
    ? { status: 200, type: 'application/json; charset=utf-8', body: `${JSON.stringify(asJson(found, name !== ''))}\n` }
    : { status: 200, type: 'text/xml; charset=utf-8', body: asXml(found) }
}

function asJson(properties: readonly Property[], single: boolean): object {
  const rows = properties.map(({ name, value }) => ({ key: name, value, isFinal: false, resource: source }))
  return single ? { property: rows[0] } : { properties: rows }
}

function asXml(properties: readonly Property[]): string {
  const rows = properties.map(
    ({ name, value }) =>
      `<property><name>${escapeText(name)}</name><value>${escapeText(value)}</value><final>false</final><source>${source}</source></property>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8" standalone="no"?><configuration>\n${rows.join('')}</configuration>\n`
}
