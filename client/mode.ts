// Symbolic and octal permission modes, as chmod and Hadoop's shell take them.
import { QuarryError } from '../common/errors.ts'

const CLAUSE = /^([ugoa]*)((?:[-+=][rwxXt]*)+)$/
const ACTION = /([-+=])([rwxXt]*)/g

const READ = 0o444
const WRITE = 0o222
const EXECUTE = 0o111
const STICKY = 0o1000

/**
 * The permission bits that `mode` makes of `current`: octal such as `644` or `1777`, or clauses such as `u+rwx,g-w,o=r`, `a+X`
 * (execute for directories and for what is executable already) and `+t`. Without u, g, o or a, a clause means everybody; the
 * umask is not applied, as in Hadoop. Throws INVALID_ARGUMENT.
 */
export function applyMode(mode: string, current: number, isDirectory: boolean): number {
  if (/^[0-7]{3,5}$/.test(mode)) {
    const bits = Number.parseInt(mode, 8)
    if (bits > 0o1777) throw invalid(mode)
    return bits
  }
  let bits = current & 0o1777
  for (const clause of mode.split(',')) {
    const match = CLAUSE.exec(clause)
    if (!match) throw invalid(mode)
    for (const [, operator, letters] of match[2]!.matchAll(ACTION)) {
      bits = applyAction(bits, match[1]!, operator!, letters!, isDirectory)
    }
  }
  return bits
}

function applyAction(bits: number, who: string, operator: string, letters: string, isDirectory: boolean): number {
  const everybody = who === '' || who.includes('a')
  let mask = 0
  if (everybody || who.includes('u')) mask |= 0o700
  if (everybody || who.includes('g')) mask |= 0o070
  if (everybody || who.includes('o')) mask |= 0o007
  let wanted = 0
  if (letters.includes('r')) wanted |= READ
  if (letters.includes('w')) wanted |= WRITE
  if (letters.includes('x') || (letters.includes('X') && (isDirectory || (bits & EXECUTE) !== 0))) wanted |= EXECUTE
  wanted &= mask
  // The sticky bit belongs to nobody in particular: `t` sets it whoever is named before it.
  if (letters.includes('t')) wanted |= STICKY
  switch (operator) {
    case '+':
      return bits | wanted
    case '-':
      return bits & ~wanted
    default:
      return (bits & ~(everybody ? mask | STICKY : mask)) | wanted
  }
}

/** `0644` and the like, or a number: the umask and permission arguments of the SDK. */
export function parseOctal(mode: string): number {
  if (!/^[0-7]{1,5}$/.test(mode) || Number.parseInt(mode, 8) > 0o1777) throw invalid(mode)
  return Number.parseInt(mode, 8)
}

/** `rwxr-xr-x`, with `t` or `T` in the last place where the sticky bit is set. */
export function formatMode(permission: number): string {
  let text = ''
  for (let shift = 8; shift >= 0; shift--) text += (permission >>> shift) & 1 ? 'xwr'[shift % 3]! : '-'
  if (permission & STICKY) text = text.slice(0, 8) + (permission & 1 ? 't' : 'T')
  return text
}

function invalid(mode: string): QuarryError {
  return new QuarryError('INVALID_ARGUMENT', `Invalid mode '${mode}'. Use octal such as 755, or clauses such as u+rwx,g-w,o=r.`, { mode })
}
