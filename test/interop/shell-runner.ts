// Runs the shell corpus through a command line and records what came out, with everything volatile normalised.
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface Answer {
  readonly line: string
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

export interface Target {
  /** The program and its first arguments for a tool; the corpus' own arguments follow. */
  readonly tools: Readonly<Record<'dfs' | 'admin' | 'fsck', readonly string[]>>
  readonly uri: string
  /** The user who runs the namenode. */
  readonly superuser: string
  /** An empty directory. */
  readonly local: string
}

/** Milliseconds after which one command counts as hung. */
const commandTimeoutMs = 120_000

export async function runCorpus(lines: readonly string[], target: Target, onAnswer: (answer: Answer) => void = () => {}): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const line of lines) {
    const answer = await runLine(line, target)
    answers.push(answer)
    onAnswer(answer)
  }
  return answers
}

async function runLine(line: string, target: Target): Promise<Answer> {
  const at = line.indexOf('> ')
  const user = line.slice(0, at)
  const [command = '', input] = line.slice(at + 2).split(' <<')
  const words = splitWords(command).map((word) => word.replaceAll('{local}', target.local).replaceAll('{fs}', target.uri))
  if (user === 'local') return { line, exit: 0, stdout: normalise(await actLocally(words, target.local), target), stderr: '' }
  const tool = words[0] === 'admin' ? 'admin' : words[0] === 'fsck' ? 'fsck' : 'dfs'
  const [program = '', ...first] = target.tools[tool]
  const args = [...first, ...(tool === 'dfs' ? words : words.slice(1))]
  const env = { ...process.env, HADOOP_USER_NAME: user === 'super' ? target.superuser : user, TZ: 'UTC', LC_ALL: 'C.UTF-8' }
  const result = await run(program, args, env, target.local, input?.replaceAll('\\n', '\n') ?? '')
  return { line, exit: result.exit, stdout: normalise(result.stdout, target), stderr: normalise(result.stderr, target) }
}

/** Words of a command line: blanks separate, '…' is taken as it stands, "…" knows \n, \t and \x for any other x. */
export function splitWords(command: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let i = 0; i < command.length; i++) {
    const c = command[i] as string
    if (quote === '' && c === ' ') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (quote === '' && (c === "'" || c === '"')) {
      quote = c
      word ??= ''
    } else if (c === quote) {
      quote = ''
    } else if (quote === '"' && c === '\\') {
      const next = command[++i] ?? ''
      word = (word ?? '') + (next === 'n' ? '\n' : next === 't' ? '\t' : next)
    } else {
      word = (word ?? '') + c
    }
  }
  if (word !== undefined) words.push(word)
  return words
}

async function actLocally(words: readonly string[], local: string): Promise<string> {
  const [verb, name = '', text = ''] = words
  const path = join(local, name)
  if (verb === 'write') {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    return ''
  }
  if (verb === 'cat') return readFile(path, 'utf8').catch(() => 'missing')
  // Hadoop's local file system leaves .name.crc files beside what it writes; they are no part of the comparison.
  const names = (await readdir(path, { recursive: true })).filter((entry) => !/(^|\/)\.[^/]*\.crc$/.test(entry))
  return names.toSorted().join('\n')
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd: string, input: string): Promise<{ exit: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, cwd, timeout: commandTimeoutMs })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (data: Buffer) => out.push(data))
    child.stderr.on('data', (data: Buffer) => err.push(data))
    child.stdin.on('error', () => {}) // a command that refuses its arguments does not read its input
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', (code) => resolve({ exit: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }))
  })
}

/** Replaces what differs from run to run: addresses, times, the superuser's name, local paths; drops lines of a Java log. */
export function normalise(text: string, target: Target): string {
  const superuser = target.superuser
  return text
    .split('\n')
    .filter((line) => !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} |^(DEBUG|INFO|WARN|SLF4J)\b/.test(line))
    .join('\n')
    .replaceAll(target.uri, '{fs}')
    .replaceAll(target.local, '{local}')
    .replaceAll(/https?:\/\/127\.0\.0\.1:\d+/g, '{http}')
    .replaceAll(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [A-Z]+ \d{4}/g, '{date}')
    .replaceAll(/20(?:2[3-9]|3\d)-\d\d-\d\d \d\d:\d\d(?::\d\d)?/g, '{time}')
    .replaceAll(/\b1[789]\d{11}\b/g, '{ms}')
    .replaceAll(/in \d+ milliseconds/g, 'in {n} milliseconds')
    .replaceAll(/ugi=[^&]*/g, 'ugi={user}')
    .replaceAll(`:${superuser}:supergroup`, ':{super}:supergroup')
    .replaceAll(`user=${superuser},`, 'user={super},')
    .replaceAll(`by ${superuser} (auth`, 'by {super} (auth')
    .replaceAll(` ${superuser} supergroup `, ' {super} supergroup ')
}
