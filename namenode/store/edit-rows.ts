// The rows of the edit log: each is the JSON of the records of one commit. A disk may give back something else than was written, and
// an edit is replayed into a namespace: so its envelope is checked before anybody uses it.
import type { EditRecord } from '../core/edits.ts'
import { damaged } from './sqlite-errors.ts'

/** The range of dates of JavaScript: what lies outside cannot be printed. */
const dateMsMax = 8.64e15

/** Throws CONFIG when the text is no list of edit records. */
export function parseEdits(json: string): EditRecord[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch (error) {
    throw damaged(`its edit log is no JSON (${(error as Error).message})`, error)
  }
  if (!Array.isArray(parsed)) throw damaged('its edit log holds something else than records')
  for (const record of parsed as unknown[]) {
    const why = wrongWith(record)
    if (why !== undefined) throw damaged(`its edit log holds something else than records (${why})`)
  }
  return parsed as EditRecord[]
}

function wrongWith(record: unknown): string | undefined {
  if (!isObject(record)) return 'a record is no object'
  const { txid, atMs, edit, clientId, callId } = record
  if (!Number.isSafeInteger(txid)) return 'a record has no transaction number'
  if (typeof atMs !== 'number' || Math.abs(atMs) > dateMsMax) return `record ${txid} has no time`
  if (!isObject(edit) || typeof edit['op'] !== 'string') return `record ${txid} has no operation`
  if (!['undefined', 'string'].includes(typeof clientId) || !['undefined', 'number'].includes(typeof callId))
    return `record ${txid} has no proper call`
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
