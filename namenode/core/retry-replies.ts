// The reply that an edit's command got, told from the edit: refills the retry cache after a restart.
import type { EditRecord } from './edits.ts'
import type { ClusterPort, NamespaceView } from './model.ts'
import { yes } from './plan.ts'
import { fileStatus, locatedBlock } from './status.ts'

/** Undefined when it cannot be told any more: the call is then decided anew. */
export function replyOfEdit(record: EditRecord, view: NamespaceView, cluster: ClusterPort, address: string): object | undefined {
  const { edit } = record
  switch (edit.op) {
    case 'create': {
      const inode = view.inode(edit.id)
      return inode === undefined ? undefined : { file: { ...fileStatus(view, inode, ''), length: 0, underConstruction: true } }
    }
    case 'append': {
      const inode = view.inode(edit.id)
      if (inode?.kind !== 'file') return undefined
      const block = edit.reopens === undefined ? undefined : view.block(edit.reopens)
      return {
        lastBlock: block === undefined ? null : locatedBlock(block, inode.length - block.length, cluster.locations(block, address), false),
        file: { ...fileStatus(view, inode, ''), underConstruction: true },
      }
    }
    case 'rename':
    case 'delete':
    case 'truncate':
      return yes
    case 'concat':
    case 'updatePipeline':
    case 'setXAttr':
    case 'removeXAttr':
      return {}
    default:
      return undefined
  }
}
