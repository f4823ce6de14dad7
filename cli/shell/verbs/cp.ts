// cp: within the cluster, through this client.
import { parseArguments } from '../command-format.ts'
import { ShellError } from '../errors.ts'
import { CopyVerb, preserveAll } from './copy-verb.ts'

export class Cp extends CopyVerb {
  protected async options(words: string[]): Promise<string[]> {
    const { flags, values, paths } = parseArguments(this.#takePreserve(words), { min: 2, flags: ['f', 'd'], valued: ['t', 'q'] })
    this.overwrite = flags.has('f')
    this.direct = flags.has('d')
    this.takeThreads(values)
    this.recursive = true
    await this.takeRemoteDestination(paths)
    return paths
  }

  /** -p, or -p with letters of `topax` right behind it. */
  #takePreserve(words: readonly string[]): string[] {
    const end = words.indexOf('--')
    const at = words.findIndex((word, index) => word.startsWith('-p') && (end < 0 || index < end))
    if (at < 0) return [...words]
    const letters = (words[at] as string).slice(2).toLowerCase()
    for (const letter of letters) {
      if (!'topax'.includes(letter)) throw new ShellError(`No attribute for ${letter}`)
    }
    this.preserve =
      letters === ''
        ? preserveAll
        : {
            times: letters.includes('t'),
            ownership: letters.includes('o'),
            permission: /[pa]/.test(letters),
            acl: letters.includes('a'),
            xattrs: letters.includes('x'),
          }
    return words.toSpliced(at, 1)
  }
}
