// help and usage: of the verbs named, or of all.
import { UsageError } from '../errors.ts'
import { helpTexts } from '../help-texts.ts'
import { verbs } from '../registry.ts'
import { allUsages, currentVerbs, fullUsage, genericUsage, usagePrefix, verbUsage } from '../usage.ts'
import { Verb } from '../verb.ts'

export class Usage extends Verb {
  #names: readonly string[] = []

  protected options(words: string[]): string[] {
    this.#names = words
    return []
  }

  protected override async processArguments(): Promise<void> {
    const { out } = this.shell.streams
    if (this.#names.length === 0) await out.write(this.all())
    for (const name of this.#names) {
      if (!Object.hasOwn(verbs, name)) throw new UsageError(`\`${name}': Unknown command`)
      await out.write(this.one(name))
    }
  }

  protected all(): string {
    return fullUsage()
  }

  protected one(name: string): string {
    return `${usagePrefix} ${verbUsage(name)}\n`
  }
}

export class Help extends Usage {
  protected override all(): string {
    return `${allUsages()}${currentVerbs()
      .map((name) => `\n${this.one(name)}`)
      .join('')}\n${genericUsage}`
  }

  protected override one(name: string): string {
    const replacement = verbs[name]?.replacement
    const lines = replacement === undefined ? (helpTexts[name] ?? []) : [`  (DEPRECATED) Same as '${replacement}'`]
    return [`${verbUsage(name)} :`, ...lines].map((line) => `${line}\n`).join('')
  }
}
