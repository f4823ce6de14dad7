// createSnapshot, deleteSnapshot and renameSnapshot: the namenode says that there are none.
import { SnapshotOperation } from '../../../proto/ports.ts'
import { notDirectory, ShellError, UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

const operations: Readonly<Record<string, SnapshotOperation>> = {
  createSnapshot: SnapshotOperation.SNAPSHOT_CREATE,
  deleteSnapshot: SnapshotOperation.SNAPSHOT_DELETE,
  renameSnapshot: SnapshotOperation.SNAPSHOT_RENAME,
}

export class Snapshot extends Verb {
  #names: string[] = []

  protected options(words: string[]): string[] {
    if (this.name === 'createSnapshot') {
      if (words.length === 0) throw new UsageError('<snapshotDir> is missing.')
      if (words.length > 2) throw new UsageError('Too many arguments.')
    } else if (words.length !== (this.name === 'deleteSnapshot' ? 2 : 3)) {
      throw new UsageError('Incorrect number of arguments.')
    }
    this.#names = words.slice(1)
    return words.slice(0, 1)
  }

  protected override async processPath(item: Item): Promise<void> {
    if (!item.isDirectory) throw notDirectory(item.text)
    if (!(item.store instanceof RemoteStore)) throw new ShellError('There are no snapshots of local directories.', 'UNSUPPORTED')
    const [name = '', other = ''] = this.#names
    await item.store.fs.namenode.call('snapshot', { operation: operations[this.name]!, path: item.path, name, other })
  }
}
