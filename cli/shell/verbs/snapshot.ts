// createSnapshot, deleteSnapshot and renameSnapshot: the namenode says that there are none.
import { notDirectory, ShellError, UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

const operations: Readonly<Record<string, 'create' | 'delete' | 'rename'>> = {
  createSnapshot: 'create',
  deleteSnapshot: 'delete',
  renameSnapshot: 'rename',
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
    const [name = '', newName = ''] = this.#names
    await item.store.fs.snapshot(operations[this.name]!, item.path, { name, newName })
  }
}
