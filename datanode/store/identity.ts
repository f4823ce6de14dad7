// identity.json of a storage directory: whose blocks these are. It is replaced as a whole, and on disk when that returns.
import { join } from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import { isMissing } from './disk-errors.ts'
import type { Disk } from './disk.ts'
import { identityFile } from './layout.ts'
import { replaceFile } from './small-file.ts'

/** Layout of a storage directory. 1: two plain files a replica, 32 by 32 directories. */
export const layoutVersion = 1

export interface StorageIdentity {
  readonly layout: number
  readonly datanodeUuid: string
  readonly storageUuid: string
  /** Empty until the first registration. */
  readonly clusterId: string
  readonly poolId: string
}

/** Undefined for a directory that nobody has used yet. Throws CONFIG when it is damaged, VERSION when a newer program wrote it. */
export async function readIdentity(disk: Disk, root: string): Promise<StorageIdentity | undefined> {
  const path = join(root, identityFile)
  let text: string
  try {
    text = Buffer.from(await disk.readFile(path)).toString('utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  let parsed: Partial<StorageIdentity>
  try {
    parsed = JSON.parse(text) as Partial<StorageIdentity>
  } catch (error) {
    throw new QuarryError(
      'CONFIG',
      `${path} is damaged and does not say whose blocks these are: ${(error as Error).message}. Restore it, or give the datanode an empty directory.`,
      { path },
    )
  }
  // Valid JSON need not be an object: null is what some file systems leave behind.
  if (
    typeof parsed !== 'object' ||
    parsed === null ||
    typeof parsed.layout !== 'number' ||
    typeof parsed.datanodeUuid !== 'string' ||
    typeof parsed.storageUuid !== 'string'
  ) {
    throw new QuarryError('CONFIG', `${path} does not say whose blocks these are. Restore it, or give the datanode an empty directory.`, {
      path,
    })
  }
  if (parsed.layout > layoutVersion) {
    throw new QuarryError(
      'VERSION',
      `The storage directory ${root} has layout ${parsed.layout}, made by a newer program; this one knows layouts up to ${layoutVersion}. Start the newer program.`,
      { dir: root, layout: parsed.layout },
    )
  }
  return {
    layout: parsed.layout,
    datanodeUuid: parsed.datanodeUuid,
    storageUuid: parsed.storageUuid,
    clusterId: typeof parsed.clusterId === 'string' ? parsed.clusterId : '',
    poolId: typeof parsed.poolId === 'string' ? parsed.poolId : '',
  }
}

export async function writeIdentity(
  disk: Disk,
  root: string,
  identity: { readonly datanodeUuid: string; readonly storageUuid: string; readonly clusterId?: string; readonly poolId?: string },
): Promise<StorageIdentity> {
  const { datanodeUuid, storageUuid, clusterId = '', poolId = '' } = identity
  const whole = { layout: layoutVersion, datanodeUuid, storageUuid, clusterId, poolId }
  await replaceFile(disk, join(root, identityFile), `${JSON.stringify(whole, null, 2)}\n`)
  return whole
}
