// One locked-down DuckDB. The order of the settings matters: what may be seen is set first, then the door is shut, then the key
// is thrown away. After that no statement reads another file, loads an extension, reaches the network or changes a setting.
//
// DuckDB runs each query on a thread of libuv's pool, so this belongs in a process of its own: in a server's process a few long
// queries would hold up every file operation.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { DuckDBInstance, DuckDBTypeId, type DuckDBConnection, type DuckDBResult, type DuckDBType, type DuckDBValue } from '@duckdb/node-api'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Column, Shape, Value } from '../values.ts'
import type { EngineOptions, SqlEngine } from './protocol.ts'
import { sqlText } from './text.ts'

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const spill = path.join(options.jail, 'spill')
  await mkdir(spill, { recursive: true })
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads),
    memory_limit: `${Math.floor(options.memoryLimit / 1024)}KiB`,
  })
  const connection = await instance.connect()
  const settings = [
    `SET temp_directory=${sqlText(spill)}`,
    `SET max_temp_directory_size='${Math.floor(options.spillLimit / 1024)}KiB'`,
    `SET allowed_directories=[${sqlText(options.jail)}]`,
    'SET autoinstall_known_extensions=false',
    'SET autoload_known_extensions=false',
    'SET allow_community_extensions=false',
    'SET allow_persistent_secrets=false',
    // Fragments come and go under new names; what was read before must never stand in for a file.
    'SET enable_external_file_cache=false',
    'SET preserve_insertion_order=true',
    // The same answer on every node, whatever its clock's zone.
    "SET TimeZone='UTC'",
    'SET enable_external_access=false',
    'SET lock_configuration=true',
  ]
  for (const setting of settings) await connection.run(setting)
  return new Engine(instance, connection)
}

/** An engine over a connection that is set up already. */
export const engineFromConnection = (instance: DuckDBInstance, connection: DuckDBConnection): Engine => new Engine(instance, connection)

export class Engine implements SqlEngine {
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection
  #result: { readonly stream: DuckDBResult; readonly types: readonly DuckDBType[] } | undefined
  #interrupted = false

  constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.#connection = connection
  }

  run(sql: string): Promise<void> {
    return this.#guard(async () => {
      await this.#connection.run(sql)
    })
  }

  text(sql: string, parameters: readonly string[]): Promise<string> {
    return this.#guard(async () => {
      const reader = await this.#connection.runAndReadAll(sql, [...parameters])
      const value = reader.getRows()[0]?.[0]
      return value === null || value === undefined ? '' : String(value)
    })
  }

  start(sql: string): Promise<readonly Column[]> {
    return this.#guard(async () => {
      const stream = await this.#connection.stream(sql)
      const types = stream.columnTypes()
      this.#result = { stream, types }
      return stream.columnNames().map((name, i) => ({ name, type: String(types[i]), shape: shapeOf(types[i]!) }))
    })
  }

  next(): Promise<readonly (readonly Value[])[] | undefined> {
    return this.#guard(async () => {
      const result = this.#result
      if (result === undefined) return undefined
      const chunk = await result.stream.fetchChunk()
      if (chunk === null || chunk.rowCount === 0) {
        this.#result = undefined
        return undefined
      }
      return chunk.getRows().map((row) => row.map((value, i) => plainValue(value, result.types[i]!)))
    })
  }

  interrupt(): void {
    this.#interrupted = true
    this.#connection.interrupt()
  }

  close(): Promise<void> {
    this.#result = undefined
    this.#connection.closeSync()
    this.#instance.closeSync()
    return Promise.resolve()
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    this.#interrupted = false
    try {
      return await work()
    } catch (error) {
      this.#result = undefined
      throw this.#interrupted
        ? new QuarryError('CANCELLED', 'The query was interrupted.')
        : engineError(error instanceof Error ? error.message : String(error))
    }
  }
}

/** DuckDB's classes of errors that are the query's fault; anything else may be the node's. */
const queryFault =
  /^(Parser|Binder|Catalog|Conversion|Out of Range|Invalid Input|Not implemented|Constraint|Syntax|Mismatch Type|Divide by Zero|Parameter Not Resolved|Invalid Type|Decimal|Type) Error: /

/** An error of DuckDB as ours: SQL when the query is at fault, OVERLOADED without memory, CHECKSUM for unreadable data. */
export function engineError(message: string): QuarryError {
  const text = message
    .split('\n\nLINE ')[0]!
    .trim()
    .replace(/\s*\n\s*/g, ' ')
  if (queryFault.test(text)) return new QuarryError('SQL', text)
  if (/^Out of Memory Error: /.test(text))
    return new QuarryError('OVERLOADED', `${text.split(' Possible solutions')[0]} Raise compute.memory, or make the query smaller.`)
  if (/INTERRUPT/i.test(text)) return new QuarryError('CANCELLED', 'The query was interrupted.')
  return new QuarryError('UNAVAILABLE', `The SQL engine failed: ${text}`)
}

/** For replies that cross a process. */
export function errorParts(error: unknown): { readonly error: string; readonly kind: string } {
  const known = toQuarryError(error)
  return { error: known.message, kind: known.code }
}

function shapeOf(type: DuckDBType): Shape {
  switch (type.typeId) {
    case DuckDBTypeId.DECIMAL:
      return { kind: 'decimal' }
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return { kind: 'list', of: shapeOf((type as unknown as { valueType: DuckDBType }).valueType) }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as unknown as { entryNames: readonly string[]; entryTypes: readonly DuckDBType[] }
      return { kind: 'struct', fields: Object.fromEntries(entryNames.map((name, i) => [name, shapeOf(entryTypes[i]!)])) }
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as unknown as { keyType: DuckDBType; valueType: DuckDBType }
      return { kind: 'map', key: shapeOf(keyType), value: shapeOf(valueType) }
    }
    default:
      return { kind: 'plain' }
  }
}

function plainValue(value: DuckDBValue, type: DuckDBType): Value {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string')
    return value
  switch (type.typeId) {
    case DuckDBTypeId.BLOB:
      return Uint8Array.from((value as unknown as { bytes: Uint8Array }).bytes)
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY: {
      const inner = (type as unknown as { valueType: DuckDBType }).valueType
      return (value as unknown as { items: readonly DuckDBValue[] }).items.map((item) => plainValue(item, inner))
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as unknown as { entryNames: readonly string[]; entryTypes: readonly DuckDBType[] }
      const { entries } = value as unknown as { entries: Readonly<Record<string, DuckDBValue>> }
      return Object.fromEntries(entryNames.map((name, i) => [name, plainValue(entries[name] ?? null, entryTypes[i]!)]))
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as unknown as { keyType: DuckDBType; valueType: DuckDBType }
      return (value as unknown as { entries: readonly { key: DuckDBValue; value: DuckDBValue }[] }).entries.map((entry) => ({
        key: plainValue(entry.key, keyType),
        value: plainValue(entry.value, valueType),
      }))
    }
    default:
      return String(value)
  }
}
