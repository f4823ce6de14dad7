// The footer of a Parquet file: which bytes hold which columns of which rows.
import { parquetMetadata } from 'hyparquet'
import type { ColumnChunk, FileMetaData, SchemaElement } from 'hyparquet'
import { isQuarryError, QuarryError } from '../../common/errors.ts'

/** Bytes of a file: [start, start + length). */
export interface ByteRange {
  readonly start: number
  readonly length: number
}

export interface ColumnRange {
  readonly min: bigint
  readonly max: bigint
}

export interface RowGroup {
  /** Position of its first row in the file. */
  readonly firstRow: number
  readonly rows: number
  /** For each top-level column, in file order: the bytes a reader of it may touch. */
  readonly columns: readonly (readonly ByteRange[])[]
  /** For each top-level column of plain integers: smallest and largest value, when the writer kept them. */
  readonly ranges: readonly (ColumnRange | undefined)[]
  /** For each top-level column: its bloom filters, which are among `columns` too. */
  readonly bloomFilters: readonly (readonly ByteRange[])[]
}

export interface ParquetFooter {
  readonly fileLength: number
  readonly rows: number
  /** Names of the top-level columns as the file has them. */
  readonly columns: readonly string[]
  readonly rowGroups: readonly RowGroup[]
  /** Where the footer begins; it ends with the file. */
  readonly start: number
  readonly bytes: Uint8Array
}

/** First guess for the bytes of a footer. */
const firstReadBytes = 256 * 1024
/** A footer is read into memory whole: 256 MiB is some hundred thousand row groups. */
const footerBytesMax = 256 * 1024 * 1024
const magicLength = 4
const tailLength = 8

/** Reads and checks the footer. `read` answers exactly the bytes asked for. */
export async function readFooter(
  path: string,
  fileLength: number,
  read: (start: number, length: number) => Promise<Uint8Array>,
): Promise<ParquetFooter> {
  const broken = (why: string) => new QuarryError('SQL', `${path} is not a Parquet file that can be read: ${why}.`, { path })
  if (fileLength < magicLength + tailLength) throw broken(`it has ${fileLength} bytes`)
  const guess = Math.min(fileLength, firstReadBytes)
  let tail = await read(fileLength - guess, guess)
  const end = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength)
  const magic = end.toString('latin1', end.length - magicLength)
  if (magic === 'PARE') throw broken('its footer is encrypted')
  if (magic !== 'PAR1') throw broken('it does not end with PAR1')
  const length = end.readUInt32LE(end.length - tailLength) + tailLength
  if (length > fileLength - magicLength) throw broken('its footer is longer than the file')
  if (length > footerBytesMax) throw broken(`its footer has ${length} bytes`)
  if (length > tail.length) tail = await read(fileLength - length, length)
  const bytes = tail.subarray(tail.length - length)
  let metadata: FileMetaData
  try {
    metadata = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer, {
      geoparquet: false,
    })
  } catch (error) {
    throw broken(`its footer cannot be decoded (${error instanceof Error ? error.message : String(error)})`)
  }
  try {
    return describe(metadata, fileLength, bytes, broken)
  } catch (error) {
    // Fields that every footer has are missing, or have another type.
    throw isQuarryError(error) ? error : broken(`its footer makes no sense (${error instanceof Error ? error.message : String(error)})`)
  }
}

function describe(metadata: FileMetaData, fileLength: number, bytes: Uint8Array, broken: (why: string) => QuarryError): ParquetFooter {
  const { names, leaves } = topLevel(metadata.schema)
  const start = fileLength - bytes.length
  const starts = chunkStarts(metadata, start)
  let row = 0
  const rowGroups = metadata.row_groups.map((group) => {
    if (group.columns.length !== leaves.length) throw broken('a row group lacks columns')
    const columns: ByteRange[][] = names.map(() => [])
    const bloomFilters: ByteRange[][] = names.map(() => [])
    const ranges: (ColumnRange | undefined)[] = names.map(() => undefined)
    for (const [leaf, chunk] of group.columns.entries()) {
      if (chunk.file_path !== undefined && chunk.file_path !== '') throw broken('its columns lie in other files')
      const at = leaves[leaf]!
      const bloomFilter = bloomFilterOf(chunk, starts)
      if (bloomFilter !== undefined) bloomFilters[at.column]!.push(bloomFilter)
      for (const range of [...rangesOf(chunk), ...(bloomFilter === undefined ? [] : [bloomFilter])]) {
        if (range.start < magicLength || range.start + range.length > start) throw broken('a column lies outside of the file')
        columns[at.column]!.push(range)
      }
      if (at.integer) ranges[at.column] = integerRange(chunk)
    }
    const rows = Number(group.num_rows)
    const described: RowGroup = { firstRow: row, rows, columns, ranges, bloomFilters }
    row += rows
    return described
  })
  return { fileLength, rows: row, columns: names, rowGroups, start, bytes }
}

/** Top-level columns of a schema, and for each leaf (which has the bytes) the column it belongs to. */
function topLevel(schema: readonly SchemaElement[]): { names: string[]; leaves: { column: number; integer: boolean }[] } {
  const names: string[] = []
  const leaves: { column: number; integer: boolean }[] = []
  let at = 1
  const visit = (column: number, top: boolean): void => {
    const element = schema[at++]!
    const children = element.num_children ?? 0
    if (children === 0) {
      const signed = element.converted_type === undefined || /^INT_(8|16|32|64)$/.test(element.converted_type)
      const integer =
        top &&
        signed &&
        (element.type === 'INT32' || element.type === 'INT64') &&
        (element.logical_type === undefined || element.logical_type.type === 'INTEGER')
      leaves.push({ column, integer })
    }
    for (let i = 0; i < children; i++) visit(column, false)
  }
  const columns = schema[0]?.num_children ?? 0
  for (let column = 0; column < columns; column++) {
    names.push(schema[at]!.name)
    visit(column, true)
  }
  return { names, leaves }
}

const firstByteOf = (chunk: ColumnChunk): number => {
  const meta = chunk.meta_data!
  const offsets = [meta.data_page_offset, meta.dictionary_page_offset, meta.index_page_offset]
    .filter((offset) => offset !== undefined && offset > 0n)
    .map(Number)
  return Math.min(...offsets)
}

/** Where anything begins, ascending: bounds what has no length of its own. */
function chunkStarts(metadata: FileMetaData, footerStart: number): number[] {
  const starts = [footerStart]
  for (const group of metadata.row_groups) {
    for (const chunk of group.columns) {
      if (chunk.meta_data === undefined) continue
      starts.push(firstByteOf(chunk))
      for (const offset of [chunk.meta_data.bloom_filter_offset, chunk.column_index_offset, chunk.offset_index_offset])
        if (offset !== undefined) starts.push(Number(offset))
    }
  }
  return starts.sort((a, b) => a - b)
}

/** The pages of a column chunk and its page index. */
function rangesOf(chunk: ColumnChunk): ByteRange[] {
  const meta = chunk.meta_data
  if (meta === undefined) throw new QuarryError('SQL', 'A Parquet file with encrypted columns cannot be read.')
  const ranges: ByteRange[] = [{ start: firstByteOf(chunk), length: Number(meta.total_compressed_size) }]
  if (chunk.column_index_offset !== undefined && chunk.column_index_length !== undefined)
    ranges.push({ start: Number(chunk.column_index_offset), length: chunk.column_index_length })
  if (chunk.offset_index_offset !== undefined && chunk.offset_index_length !== undefined)
    ranges.push({ start: Number(chunk.offset_index_offset), length: chunk.offset_index_length })
  return ranges
}

function bloomFilterOf(chunk: ColumnChunk, starts: readonly number[]): ByteRange | undefined {
  const meta = chunk.meta_data
  if (meta?.bloom_filter_offset === undefined) return undefined
  const start = Number(meta.bloom_filter_offset)
  return { start, length: meta.bloom_filter_length ?? starts.find((at) => at > start)! - start }
}

function integerRange(chunk: ColumnChunk): ColumnRange | undefined {
  const statistics = chunk.meta_data?.statistics
  const min = statistics?.min_value
  const max = statistics?.max_value
  if ((typeof min !== 'bigint' && typeof min !== 'number') || (typeof max !== 'bigint' && typeof max !== 'number')) return undefined
  return { min: BigInt(min), max: BigInt(max) }
}
