// What a backup says about itself: manifest.json beside the copy of the database.
import { QuarryError } from '../../common/errors.ts'

export const databaseFile = 'namespace.db'
export const manifestFile = 'manifest.json'

/** A change of the meaning of a field gets another number. */
const manifestFormat = 1

export interface BackupManifest {
  readonly format: typeof manifestFormat
  readonly clusterId: string
  readonly poolId: string
  /** The last transaction of the namespace that was copied. */
  readonly txid: number
  /** Of the edit log inside: the first transaction that it still has. */
  readonly firstKeptTxid: number
  readonly schema: number
  readonly checksumAlgorithm: string
  /** Of the namespace (core/namespace-checksum.ts). */
  readonly namespaceChecksum: string
  readonly files: number
  readonly directories: number
  readonly blocks: number
  /** Of the database file. */
  readonly bytes: number
  readonly sha256: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
}

export const manifestOf = (fields: Omit<BackupManifest, 'format'>): BackupManifest => ({ format: manifestFormat, ...fields })

export const formatManifest = (manifest: BackupManifest): string => `${JSON.stringify(manifest, null, 2)}\n`

const numbers = ['txid', 'firstKeptTxid', 'schema', 'files', 'directories', 'blocks', 'bytes'] as const
const texts = ['clusterId', 'poolId', 'checksumAlgorithm', 'namespaceChecksum', 'sha256', 'createdAt'] as const

export function parseManifest(text: string, path: string): BackupManifest {
  let value: Record<string, unknown>
  try {
    value = JSON.parse(text) as Record<string, unknown>
  } catch (error) {
    throw new QuarryError('CONFIG', `${path} is not the manifest of a backup: ${error instanceof Error ? error.message : String(error)}`, {
      path,
    })
  }
  if (typeof value !== 'object' || value === null || !Number.isSafeInteger(value['format']))
    throw new QuarryError('CONFIG', `${path} is not the manifest of a backup: it has no format number.`, { path })
  if (value['format'] !== manifestFormat) {
    throw new QuarryError(
      'VERSION',
      `${path} has format ${String(value['format'])}, this program knows ${manifestFormat}. Use the newer version of Quarry that wrote it.`,
      { path },
    )
  }
  const wrong = [
    ...numbers.filter((name) => !Number.isSafeInteger(value[name]) || (value[name] as number) < 0),
    ...texts.filter((name) => typeof value[name] !== 'string'),
  ]
  if (wrong.length > 0) throw new QuarryError('CONFIG', `${path} is damaged: ${wrong.join(', ')} missing or wrong.`, { path })
  return value as unknown as BackupManifest
}
