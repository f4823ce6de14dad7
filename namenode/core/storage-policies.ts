// Storage policies as data: HDFS's suite (BlockStoragePolicySuite), which file or directory has which, and what a policy makes of a
// file's replicas in terms of quotas.
import { QuarryError } from '../../common/errors.ts'
import { storageTypeNames } from '../../common/storage-types.ts'
import type { StoragePolicy } from '../../proto/ports.ts'
import { StorageType } from '../../proto/ports.ts'
import { extrasOf, HAS_POLICY } from './extras.ts'
import type { Inode, NamespaceView } from './model.ts'

const { STORAGE_DISK: DISK, STORAGE_SSD: SSD, STORAGE_ARCHIVE: ARCHIVE } = StorageType
const { STORAGE_RAM_DISK: RAM_DISK, STORAGE_PROVIDED: PROVIDED, STORAGE_NVDIMM: NVDIMM } = StorageType

const policy = (
  id: number,
  name: string,
  types: StorageType[],
  creationFallbacks: StorageType[],
  replicationFallbacks: StorageType[],
  copyOnCreate = false,
): StoragePolicy => ({ id, name, types, creationFallbacks, replicationFallbacks, copyOnCreate })

export const storagePolicies: readonly StoragePolicy[] = [
  policy(1, 'PROVIDED', [PROVIDED, DISK], [PROVIDED, DISK], [PROVIDED, DISK]),
  policy(2, 'COLD', [ARCHIVE], [], []),
  policy(5, 'WARM', [DISK, ARCHIVE], [DISK, ARCHIVE], [DISK, ARCHIVE]),
  policy(7, 'HOT', [DISK], [], [ARCHIVE]),
  policy(10, 'ONE_SSD', [SSD, DISK], [SSD, DISK], [SSD, DISK]),
  policy(12, 'ALL_SSD', [SSD], [DISK], [DISK]),
  policy(14, 'ALL_NVDIMM', [NVDIMM], [DISK], [DISK]),
  policy(15, 'LAZY_PERSIST', [RAM_DISK, DISK], [DISK], [DISK], true),
]

/** In force where nothing was set; files then say 0. */
const DEFAULT_POLICY = 7

export function policyOfId(id: number): StoragePolicy {
  return storagePolicies.find((one) => one.id === id) ?? policyOfId(DEFAULT_POLICY)
}

/** Throws INVALID_ARGUMENT for a name that is none. Case does not matter. */
export function policyOfName(name: string): StoragePolicy {
  const found = storagePolicies.find((one) => one.name === name.toUpperCase())
  if (found === undefined) throw new QuarryError('INVALID_ARGUMENT', `Cannot find a block policy with the name ${name}`, { name })
  return found
}

const typeName = (type: StorageType): string => storageTypeNames[type] ?? String(type)

/** As HDFS prints a policy in its errors. */
export function policyText({ id, name, types, creationFallbacks, replicationFallbacks }: StoragePolicy): string {
  const list = (of: readonly StorageType[]): string => `[${of.map(typeName).join(', ')}]`
  return `BlockStoragePolicy{${name}:${id}, storageTypes=${list(types)}, creationFallbacks=${list(creationFallbacks)}, replicationFallbacks=${list(replicationFallbacks)}}`
}

/** Id of the policy that an inode has itself; 0 = none. */
export function ownPolicy(view: NamespaceView, inode: Inode): number {
  if (inode.kind === 'file') return inode.storagePolicy
  return (inode.flags & HAS_POLICY) === 0 ? 0 : extrasOf(view, inode).storagePolicy
}

/** Id of the policy in force: its own, or that of the nearest directory above; 0 = none was set. */
export function policyInForce(view: NamespaceView, inode: Inode): number {
  if (inode.kind === 'file' && inode.storagePolicy !== 0) return inode.storagePolicy
  if (!view.hasPolicies()) return 0
  for (let at: Inode | undefined = inode; at !== undefined; at = at.parentId === 0 ? undefined : view.inode(at.parentId)) {
    const own = ownPolicy(view, at)
    if (own !== 0) return own
  }
  return 0
}
