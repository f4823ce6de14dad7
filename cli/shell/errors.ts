// What a verb may fail with, and the one place that turns a failure into the line Hadoop's shell would print.
import { errorTable, toQuarryError } from '../../common/errors.ts'
import type { ErrorCode } from '../../common/errors.ts'

/** The command line is wrong: the message, the usage of the shell and of the verb, exit code 255. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A failure that is its message. */
export class ShellError extends Error {
  override readonly name: string = 'ShellError'
  readonly code: ErrorCode

  constructor(message: string, code: ErrorCode = 'INVALID_ARGUMENT') {
    super(message)
    this.code = code
  }
}

export interface PathErrorDetails {
  /** What failed, where the text alone does not tell: `rename`. */
  readonly operation?: string
  readonly target?: string
  /** Text of its own in place of the code's. */
  readonly text?: string
  /** URI of the path, shown behind the text when it says more than what was typed. */
  readonly qualified?: string
}

/** A failure of one path, written as the user wrote it. */
export class PathError extends ShellError {
  override readonly name = 'PathError'
  readonly path: string

  constructor(path: string, code: ErrorCode, details: PathErrorDetails = {}) {
    super(pathMessage(path, details.text ?? shellText(code), details), code)
    this.path = path
  }
}

/** The shell's words for an error, such as `No such file or directory`. */
function shellText(code: ErrorCode): string {
  return errorTable[code].shell || errorTable.CHECKSUM.shell
}

function pathMessage(path: string, text: string, details: PathErrorDetails): string {
  const { operation, target, qualified } = details
  const before = operation === undefined ? '' : `${operation} `
  const to = target === undefined ? '' : ` to \`${target}'`
  const behind = qualified === undefined || qualified === path ? '' : `: \`${qualified}'`
  return `${before}\`${path}'${to}: ${text}${behind}`
}

export const notFound = (path: string, qualified?: string): PathError =>
  new PathError(path, 'NOT_FOUND', qualified === undefined ? {} : { qualified })
export const exists = (path: string): PathError => new PathError(path, 'ALREADY_EXISTS')
export const isDirectory = (path: string): PathError => new PathError(path, 'IS_A_DIRECTORY')
export const notDirectory = (path: string): PathError => new PathError(path, 'NOT_A_DIRECTORY')
export const inputOutput = (path: string, details: PathErrorDetails = {}): PathError => new PathError(path, 'CHECKSUM', details)

/** Code and first line of anything thrown. */
export function describeFailure(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (error instanceof ShellError) return { code: error.code, message: firstLine(error.message) }
  const failure = toQuarryError(error)
  return { code: failure.code, message: firstLine(failure.message) }
}

/** As `describeFailure`; of safe mode also why, and how it ends, which Hadoop's shell leaves out. */
export function wholeFailure(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  const failure = describeFailure(error)
  return failure.code === 'SAFE_MODE' ? { ...failure, message: toQuarryError(error).message.replaceAll('\n', ' ') } : failure
}

export function firstLine(text: string): string {
  const end = text.indexOf('\n')
  return end < 0 ? text : text.slice(0, end)
}
