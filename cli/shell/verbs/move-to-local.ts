import { ShellError } from '../errors.ts'
import { Verb } from '../verb.ts'

/** Named in Hadoop's usage, and never built there: the text is Hadoop's own, word for word, and scripts may look for it. */
export class MoveToLocal extends Verb {
  protected options(): string[] {
    throw new ShellError("Option '-moveToLocal' is not implemented yet.", 'UNSUPPORTED')
  }
}
