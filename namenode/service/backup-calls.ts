// Calls about copies of the namespace: backups and checksums. For the superuser only: a copy holds every name.
import { requireSuper } from '../core/permissions.ts'
import { readBytesMax } from '../store/backup.ts'
import type { BackupInfo, Backups } from '../store/backup.ts'
import type { CallOf, ServiceCalls } from './service-call.ts'

export function backupCalls(backups: Backups): ServiceCalls {
  return {
    namespaceChecksum({ caller }) {
      requireSuper(caller)
      return backups.checksum()
    },
    beginBackup(call) {
      requireSuper(call.caller)
      return backups.begin(keyOf(call)).then(replyOf)
    },
    readBackup({ caller }, { id, offset, length }) {
      requireSuper(caller)
      return backups.read(id, offset, Math.min(length, readBytesMax)).then((data) => ({ data }))
    },
    endBackup({ caller }, { id }) {
      requireSuper(caller)
      return backups.end(id).then(() => ({}))
    },
  }
}

/** A call that is repeated after a broken connection means the same backup. */
const keyOf = ({ context }: CallOf): string => `${context.clientId}:${context.callId}`

const replyOf = ({ id, bytes, inspection }: BackupInfo): object => ({
  id,
  bytes,
  txid: inspection.checksum.txid,
  clusterId: inspection.clusterId,
  poolId: inspection.poolId,
  schema: inspection.schema,
  namespaceChecksum: inspection.checksum.hex,
})
