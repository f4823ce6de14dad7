// Runs the shell corpus through a command line and records what came out, with everything volatile normalised.
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

export interface Answer {
  readonly line: string
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

export type Tool = 'dfs' | 'admin' | 'fsck'
export type Outcome = Omit<Answer, 'line'>

export interface Target {
  /** Runs one command as `user`, in the scratch directory. */
  readonly run: (tool: Tool, args: readonly string[], user: string, input: string) => Promise<Outcome>
  readonly uri: string
  /** The user who runs the namenode. */
  readonly superuser: string
  /** An empty directory. */
  readonly local: string
}

/** Milliseconds after which one command counts as hung. */
const commandTimeoutMs = 120_000
/** Longer than HDFS's default heartbeat, 3 s. */
const waitMs = 4_000

export async function runCorpus(
  lines: readonly string[],
  target: Target,
  onAnswer: (answer: Answer) => void = () => {},
): Promise<Answer[]> {
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
  const who = user === 'super' ? target.superuser : user
  const result = await target.run(tool, tool === 'dfs' ? words : words.slice(1), who, input?.replaceAll('\\n', '\n') ?? '')
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
  if (verb === 'wait') {
    await sleep(waitMs)
    return ''
  }
  if (verb === 'gzip') {
    await writeFile(path, gzipSync(text))
    return ''
  }
  if (verb === 'cat') return readFile(path, 'utf8').catch(() => 'missing')
  // Hadoop's local file system leaves .name.crc files beside what it writes; they are no part of the comparison.
  const names = (await readdir(path, { recursive: true })).filter((entry) => !/(^|\/)\.[^/]*\.crc$/.test(entry))
  return names.toSorted().join('\n')
}

/** A target that starts a program for each command; the words of a tool come before the corpus' own. */
export function programTarget(tools: Readonly<Record<Tool, readonly string[]>>, target: Omit<Target, 'run'>): Target {
  return {
    ...target,
    run: (tool, args, user, input) => {
      const [program = '', ...first] = tools[tool]
      const env = { ...process.env, HADOOP_USER_NAME: user, TZ: 'UTC', LC_ALL: 'C.UTF-8' }
      return runProgram(program, [...first, ...args], env, target.local, input)
    },
  }
}

function runProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd: string, input: string): Promise<Outcome> {
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
export function normalise(text: string, target: Omit<Target, 'run'>): string {
  const superuser = target.superuser
  return (
    text
      .split('\n')
      .filter(
        (line) =>
          !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} |^(DEBUG|INFO|WARN|SLF4J)\b|^\tat |^org\.apache\.hadoop\.ipc\.RemoteException/.test(line),
      )
      .join('\n')
      .replaceAll(target.uri, '{fs}')
      .replaceAll(target.local, '{local}')
      .replaceAll(/Connecting to namenode via \S+/g, 'Connecting to namenode via {door}')
      .replaceAll(/BP-[^:\s]*:blk_\d+_\d+/g, '{block}')
      .replaceAll(/\/default-rack\/127\.0\.0\.1:\d+/g, '{node}')
      .replaceAll(/^( {3}|Name: )127\.0\.0\.1:\d+ \([^)]*\)/gm, '$1{node}')
      .replaceAll(/^Hostname: .*$/gm, 'Hostname: {host}')
      .replaceAll(/^(Xceivers|Num of Blocks): \d+$/gm, '$1: {n}')
      .replaceAll(/^(.*%): (?:[\d.]+|NaN)%$/gm, '$1: {share}')
      .replaceAll(/^((?:DFS|Non DFS|Configured|Present)[ \w]*): \d+ \([\d.]+ [KMGTPE]?B\)$/gm, '$1: {size}')
      .replaceAll(/DatanodeInfoWithStorage\[[^\]]*\]/g, '{place}')
      .replaceAll(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [A-Z]+ \d{4}/g, '{date}')
      .replaceAll(/20(?:2[3-9]|3\d)-\d\d-\d\d \d\d:\d\d(?::\d\d)?/g, '{time}')
      .replaceAll(/\b1[789]\d{11}\b/g, '{ms}')
      .replaceAll(/in \d+ milliseconds/g, 'in {n} milliseconds')
      .replaceAll(`:${superuser}:supergroup`, ':{super}:supergroup')
      .replaceAll(`user=${superuser},`, 'user={super},')
      .replaceAll(`by ${superuser} (auth`, 'by {super} (auth')
      .replaceAll(` ${superuser} supergroup `, ' {super} supergroup ')
      // What is left of a Java log of which every line was dropped.
      .replace(/^\n+$/, '')
  )
}
