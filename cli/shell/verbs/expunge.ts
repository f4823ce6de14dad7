// expunge: seals the caller's trash and deletes what has been there long enough, or with -immediate all of it.
import { parseArguments } from '../command-format.ts'
import { Verb } from '../verb.ts'

export class Expunge extends Verb {
  #immediate = false

  protected options(words: string[]): string[] {
    const { flags, values } = parseArguments(words, { min: 0, max: 2, flags: ['immediate'], valued: ['fs'] })
    this.#immediate = flags.has('immediate')
    const uri = values.get('fs')
    if (uri) this.shell.configuration.set('fs.defaultFS', uri)
    return []
  }

  protected override async processArguments(): Promise<void> {
    const { fs } = await this.shell.remote()
    const minutes = this.shell.configuration.number('fs.trash.interval')
    await fs.expungeTrash({ immediate: this.#immediate, ...(minutes !== undefined && { intervalMinutes: minutes }) })
  }
}
