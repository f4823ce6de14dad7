// Where later edits come from for a restore to a point in time: a running namenode, the directory of a stopped one, another backup,
// or a file that `quarry admin edits-export` wrote. And that export.
import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { QuarryError } from '../../common/errors.ts'
import { editOfWire } from '../../namenode/core/edits.ts'
import type { EditRecord } from '../../namenode/core/edits.ts'
import { editsOffline } from '../../namenode/store/offline.ts'
import { connectShell } from '../shell/connect.ts'

/** Edits that are applied in one commit. */
const pageEdits = 1000

export type EditPages = (afterTxid: number) => AsyncIterable<readonly EditRecord[]> | Iterable<readonly EditRecord[]>

export function editSource(from: string, user: string | undefined): EditPages {
  if (/^quarry:\/\//.test(from)) return (after) => pagesOf(runningEdits(from, user, after))
  const found = statSync(from, { throwIfNoEntry: false })
  if (found === undefined)
    throw new QuarryError(
      'NOT_FOUND',
      `--edits ${from}: there is no such directory or file. A running namenode is named quarry://HOST:PORT.`,
    )
  return found.isDirectory() ? (after) => editsOffline(from, after) : (after) => pagesOf(exportedEdits(from, after))
}

/** Writes the edits after a transaction, one JSON object a line. Answers how many, and the last transaction. */
export async function exportEdits(pages: ReturnType<EditPages>, target: string): Promise<{ edits: number; lastTxid: number }> {
  const out = createWriteStream(target, { flags: 'wx', flush: true })
  let edits = 0
  let lastTxid = 0
  try {
    await once(out, 'open')
    for await (const page of pages) {
      for (const record of page) lastTxid = record.txid
      edits += page.length
      if (!out.write(page.map((record) => `${JSON.stringify(record)}\n`).join(''))) await once(out, 'drain')
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new QuarryError('ALREADY_EXISTS', `${target} exists already: exports are never overwritten.`)
    throw error
  } finally {
    out.end()
    await finished(out).catch(() => {})
  }
  return { edits, lastTxid }
}

async function* runningEdits(uri: string, user: string | undefined, after: number): AsyncGenerator<EditRecord> {
  await using fs = await connectShell({ fs: uri, user })
  for await (const edit of fs.edits(after)) yield editOfWire(edit)
}

async function* exportedEdits(file: string, after: number): AsyncGenerator<EditRecord> {
  let line = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    line++
    const record = parseLine(text)
    if (record === undefined)
      throw new QuarryError('CONFIG', `${file}:${line} is not an edit: the file is not one of quarry admin edits-export, or was cut.`)
    if (record.txid > after) yield record
  }
}

function parseLine(text: string): EditRecord | undefined {
  try {
    const record = JSON.parse(text) as EditRecord
    const isEdit = Number.isSafeInteger(record.txid) && Number.isSafeInteger(record.atMs) && typeof record.edit?.op === 'string'
    return isEdit ? record : undefined
  } catch {
    return undefined
  }
}

async function* pagesOf(records: AsyncIterable<EditRecord>): AsyncGenerator<readonly EditRecord[]> {
  let page: EditRecord[] = []
  for await (const record of records) {
    page.push(record)
    if (page.length < pageEdits) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}
