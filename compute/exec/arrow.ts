// A result as one Arrow IPC stream, for programs that take Arrow. DuckDB writes the rows as Parquet into the query's own directory,
// and parquet-wasm, which is loaded on first use, reads them as Arrow: row group by row group, so that its 32-bit memory, which
// never shrinks, holds one of them at a time.
import { readFile } from 'node:fs/promises'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import { sqlText } from '../executor/text.ts'
import { distinctNames, type Column } from '../values.ts'

/** Rows in a record batch, and in a row group of the Parquet file between: eight of DuckDB's vectors. */
export const arrowBatchRows = 16_384

/** Types whose values survive Parquet and become the Arrow type of the same meaning; arrays of fixed length become lists. */
const carried =
  /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DECIMAL|VARCHAR|JSON|BLOB|DATE|TIME|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|STRUCT|MAP)$/

/** What Parquet or its reader would change silently travels as another type. */
const replaced: Readonly<Record<string, string>> = {
  // Parquet has no integer of 128 bits and DuckDB writes a DOUBLE. 39 digits fail with a Conversion Error: cast them to VARCHAR.
  'HUGEINT': 'DECIMAL(38,0)',
  'UHUGEINT': 'DECIMAL(38,0)',
  // Parquet has no zone for a time of day.
  'TIME WITH TIME ZONE': 'VARCHAR',
  // The reader drops the months.
  'INTERVAL': 'VARCHAR',
  // As text, as in the rows, and not as 16 bytes.
  'UUID': 'VARCHAR',
  'ENUM': 'VARCHAR',
  'BIT': 'VARCHAR',
  'BIGNUM': 'VARCHAR',
}

/** A quoted name, the values of an ENUM, a type with its digits, or what stands between. */
const typeTokens = /"(?:[^"]|"")*"|ENUM\((?:'(?:[^']|'')*'|[^'])*?\)|[A-Z][A-Z_]*(?: WITH TIME ZONE)?|./gs

/** The type that carries a column, inside lists, structs and maps too. Throws SQL for a type that has no place in Parquet. */
export function arrowCarrier(column: Pick<Column, 'name' | 'type'>): string {
  return [...column.type.matchAll(typeTokens)]
    .map(([token]) => {
      if (!/^[A-Z]/.test(token) || carried.test(token)) return token
      const carrier = replaced[token.startsWith('ENUM(') ? 'ENUM' : token]
      if (carrier === undefined)
        throw new QuarryError('SQL', `Arrow cannot carry column ${column.name} of type ${column.type}: cast it, for example to VARCHAR.`)
      return carrier
    })
    .join('')
}

/**
 * The statement that writes the rows of a SELECT as Parquet. Without dictionaries, so that the sizes in its footer are close to
 * those of the Arrow batches.
 */
export function copyForArrow(select: string, columns: readonly Column[], file: string): string {
  const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
  const names = distinctNames(columns)
  const items = columns.map((column, i) => {
    const carrier = arrowCarrier(column)
    return `${carrier === column.type ? `c${i}` : `CAST(c${i} AS ${carrier})`} AS ${quote(names[i]!)}`
  })
  const rows = `SELECT ${items.join(', ')} FROM (${select}) AS result(${columns.map((_, i) => `c${i}`).join(', ')})`
  return `COPY (${rows}) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE ${arrowBatchRows}, DICTIONARY_SIZE_LIMIT 0)`
}

/** The rows of a Parquet file as one Arrow IPC stream of at most `bytesMax` bytes. */
export async function parquetToArrow(file: string, bytesMax: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const { ParquetFile } = await import('parquet-wasm')
  const parquet = await ParquetFile.fromFile(new Blob([await readFile(file)]))
  try {
    const groups = parquet.metadata().rowGroups()
    // Before anything is unpacked: the row group that is too large for the bound is too large for the reader as well.
    checkSize(
      groups.reduce((sum, group) => sum + group.totalByteSize(), 0),
      bytesMax,
    )
    const parts: Uint8Array[] = []
    let bytes = 0
    for (let i = 0; i < Math.max(1, groups.length); i++) {
      signal?.throwIfAborted()
      const table = await parquet.read(groups.length === 0 ? {} : { rowGroups: [i], batchSize: arrowBatchRows })
      const stream = table.intoIPCStream()
      // Of all streams but the first the schema goes, of all but the last the end.
      const part = stream.subarray(i === 0 ? 0 : schemaBytes(stream), i < groups.length - 1 ? stream.length - endBytes : stream.length)
      bytes += part.length
      checkSize(bytes, bytesMax)
      parts.push(part)
    }
    return joined(parts, bytes)
  } catch (error) {
    // What a WebAssembly program does when its memory is at its end.
    if (error instanceof Error && error.name === 'RuntimeError')
      throw new QuarryError(
        'SQL',
        'The result has rows too wide for the Arrow reader: select fewer columns, or read it as rows.',
        {},
        { cause: error },
      )
    throw error
  } finally {
    parquet.free()
  }
}

function checkSize(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax)
    throw new QuarryError(
      'SQL',
      `The result is more than ${bytesMax} bytes of Arrow: add WHERE, LIMIT or an aggregate, or read it as rows.`,
    )
}

/** An IPC stream ends with an empty message: the continuation marker and the length 0. */
const endBytes = 8

/** Length of the first message of an IPC stream, the schema: marker, length, then that many bytes; it has no body. */
function schemaBytes(stream: Uint8Array): number {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  assert(view.getUint32(0, true) === 0xffffffff, 'an IPC stream begins with the continuation marker')
  return 8 + view.getInt32(4, true)
}

/** In memory of its own, so that it begins where readers of 64-bit values want it to. */
function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
