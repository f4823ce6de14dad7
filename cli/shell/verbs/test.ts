// test: an exit code and no text. 0 true, 1 false or missing.
import { isQuarryError } from '../../../common/errors.ts'
import { parseArguments } from '../command-format.ts'
import { UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { exitFailure, Verb } from '../verb.ts'

export class Test extends Verb {
  #flag = ''

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 1, max: 1, flags: ['e', 'd', 'f', 's', 'z', 'w', 'r'] })
    const [flag, second] = flags
    if (flag === undefined) throw new UsageError('No test flag given')
    if (second !== undefined) throw new UsageError('Only one test flag is allowed')
    this.#flag = flag
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (!(await this.#holds(item))) this.exitCode = exitFailure
  }

  protected override async processMissing(): Promise<void> {
    this.exitCode = exitFailure
  }

  async #holds(item: Item): Promise<boolean> {
    const length = item.stat?.length ?? 0
    switch (this.#flag) {
      case 'd':
        return item.isDirectory
      case 'f':
        return !item.isDirectory
      case 's':
        return length > 0
      case 'z':
        return length === 0
      case 'w':
      case 'r':
        return this.#mayAccess(item)
      default:
        return true
    }
  }

  async #mayAccess(item: Item): Promise<boolean> {
    if (!(item.store instanceof RemoteStore)) return true
    try {
      await item.store.fs.checkAccess(item.path, this.#flag)
      return true
    } catch (error) {
      if (isQuarryError(error, 'PERMISSION_DENIED') || isQuarryError(error, 'NOT_FOUND')) return false
      throw error
    }
  }
}
