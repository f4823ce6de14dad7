// stat: what a format asks for; unknown letters print themselves.
import { formatMode } from '../../../client/index.ts'
import { checkCount, parseArguments } from '../command-format.ts'
import { utcSecond } from '../format.ts'
import type { Item, Stat } from '../store.ts'
import { Verb } from '../verb.ts'
import { recordOf } from './ls.ts'

const fields: Readonly<Record<string, (stat: Stat, item: Item) => string>> = {
  a: (stat) => stat.permission.toString(8),
  A: (stat) => formatMode(stat.permission),
  b: (stat) => String(stat.length),
  F: (stat) => (stat.isDirectory ? 'directory' : 'regular file'),
  g: (stat) => stat.group,
  n: (_, item) => item.name,
  o: (stat) => String(stat.blockSize),
  r: (stat) => String(stat.replication),
  u: (stat) => stat.owner,
  x: (stat) => utcSecond(stat.atimeMs),
  X: (stat) => String(stat.atimeMs),
  y: (stat) => utcSecond(stat.mtimeMs),
  Y: (stat) => String(stat.mtimeMs),
}

export class StatVerb extends Verb {
  #format = '%y'

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 1, flags: ['R'] })
    this.recursive = flags.has('R')
    if (paths[0]?.includes('%')) this.#format = paths.shift() as string
    checkCount(paths.length, 1, Number.MAX_SAFE_INTEGER)
    return paths
  }

  protected override processPath(item: Item): Promise<void> {
    return Promise.resolve(this.print(this.#fill(item), recordOf(item)))
  }

  #fill(item: Item): string {
    let text = ''
    const characters = [...this.#format]
    for (let i = 0; i < characters.length; i++) {
      const c = characters[i] as string
      if (c !== '%') text += c
      else if (i + 1 < characters.length) {
        const letter = characters[++i] as string
        text += Object.hasOwn(fields, letter) ? fields[letter]?.(item.stat as Stat, item) : letter
      }
    }
    return text
  }
}
