import { ShellError } from '../errors.ts'
import { Verb } from '../verb.ts'

const reasons: Readonly<Record<string, string>> = {
  getfacl: 'access control lists',
  setfacl: 'access control lists',
  getfattr: 'extended attributes',
  setfattr: 'extended attributes',
}

/** Verbs of Hadoop's usage that Quarry refuses by name. */
export class Unsupported extends Verb {
  protected options(): string[] {
    throw new ShellError(`Quarry does not support ${reasons[this.name] ?? 'snapshots'} yet.`, 'UNSUPPORTED')
  }
}
