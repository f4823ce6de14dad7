// find: names by pattern, below a path. -name, -iname, -print, -print0, joined by -a, -and or nothing.
import { parseArguments } from '../command-format.ts'
import { ShellError } from '../errors.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'
import { recordOf } from './ls.ts'

type Step = (item: Item) => Promise<boolean> | boolean

export class Find extends Verb {
  #steps: readonly Step[] = []

  protected async options(words: string[]): Promise<string[]> {
    const { paths: rest } = parseArguments(words, { min: 1, flags: ['L', 'H'], keepUnknown: true })
    const start = rest.findIndex((word) => word.startsWith('-'))
    const paths = start < 0 ? rest : rest.slice(0, start)
    this.recursive = true
    this.#steps = await this.#parse(start < 0 ? [] : rest.slice(start))
    return paths.length > 0 ? paths : ['.']
  }

  protected override get sorted(): boolean {
    return false
  }

  protected override async processPath(item: Item): Promise<void> {
    for (const step of this.#steps) if (!(await step(item))) return
  }

  async #parse(words: readonly string[]): Promise<readonly Step[]> {
    const steps: Step[] = []
    let acts = false
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as string
      if (word === '-a' || word === '-and') {
        if (i === 0 || i === words.length - 1) throw new ShellError(`${word} stands between two expressions`)
      } else if (word === '-name' || word === '-iname') {
        const pattern = words[++i]
        if (pattern === undefined) throw new ShellError(`Missing argument of ${word}`)
        steps.push(await nameStep(pattern, word === '-iname'))
      } else if (word === '-print' || word === '-print0') {
        acts = true
        const end = word === '-print' ? '\n' : '\0'
        steps.push((item) => this.#show(item, end))
      } else {
        throw new ShellError(`Unexpected argument: ${word}`)
      }
    }
    if (!acts) steps.push((item) => this.#show(item, '\n'))
    return steps
  }

  async #show(item: Item, end: string): Promise<boolean> {
    if (this.shell.json) await this.print('', recordOf(item))
    else await this.shell.streams.out.write(item.text + end)
    return true
  }
}

async function nameStep(pattern: string, ignoreCase: boolean): Promise<Step> {
  const { compileComponent } = await import('../../../client/index.ts')
  const component = compileComponent(ignoreCase ? pattern.toLowerCase() : pattern)
  const matches = component.kind === 'pattern' ? component.matches : (name: string): boolean => name === component.name
  return (item) => matches(ignoreCase ? item.name.toLowerCase() : item.name)
}
