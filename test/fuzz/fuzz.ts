// Runs decoders against damaged inputs and looks at what comes out: a value, or an error that its users expect. Anything else is a
// finding: another error, an answer that takes too long, memory that is out of proportion to the input.
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { isQuarryError, type QuarryError } from '../../common/errors.ts'

export interface Target {
  readonly name: string
  /** Draws one input. */
  readonly draw: (random: SeededRandom) => Uint8Array
  /** Takes it. Whatever is thrown must be a QuarryError. */
  readonly take: (input: Uint8Array) => unknown
  readonly close?: () => Promise<void>
}

export interface Finding {
  readonly target: string
  readonly what: string
  /** Hex, of the first bytes. */
  readonly input: string
}

export interface FuzzResult {
  readonly inputs: ReadonlyMap<string, number>
  readonly refused: ReadonlyMap<string, number>
  readonly slowestMs: ReadonlyMap<string, number>
  readonly findings: readonly Finding[]
  /** Growth of memory outside of what the collector may still free, over the whole run. */
  readonly grownMib: number
}

/** One input may take so long: far more than any decoder needs, and far less than a hang. */
const inputMs = 5_000
/** Memory that may be held at any moment beyond what was held before: inputs have at most 256 KiB. */
const grownMaxMib = 768
const findingsMax = 20
/** How far a target may be ahead of the others in time. */
const aheadMs = 250
/** The memory is looked at after so many inputs. */
const lookEvery = 500

/** Rounds over the targets until the time is over, or each has had `inputsMax`. */
export async function fuzz(
  targets: readonly Target[],
  limits: { readonly seed: number; readonly seconds: number; readonly inputsMax?: number },
): Promise<FuzzResult> {
  const endMs = performance.now() + limits.seconds * 1000
  const random = new SeededRandom(limits.seed)
  const inputs = new Map<string, number>()
  const refused = new Map<string, number>()
  const slowestMs = new Map<string, number>()
  const findings: Finding[] = []
  const beforeMib = residentMib()
  let grownMib = 0
  const spentMs = new Map(targets.map((target) => [target, 0]))
  for (let round = 0; performance.now() < endMs && round < (limits.inputsMax ?? Infinity); round++) {
    const leastMs = Math.min(...spentMs.values())
    for (const target of targets) {
      // By number of inputs all take part in every round; by time a slow decoder waits until the others have had as much of it.
      if (limits.inputsMax === undefined && (spentMs.get(target) ?? 0) > leastMs + aheadMs) continue
      // A seed for each input, so that one input can be made again without the ones before it.
      const input = target.draw(new SeededRandom(random.int(2 ** 31)))
      count(inputs, target.name)
      const startedMs = performance.now()
      const wrong = await takeOne(target, input, () => count(refused, target.name))
      const tookMs = performance.now() - startedMs
      spentMs.set(target, (spentMs.get(target) ?? 0) + tookMs)
      slowestMs.set(target.name, Math.max(slowestMs.get(target.name) ?? 0, tookMs))
      const what = wrong ?? (tookMs > inputMs ? `took ${(tookMs / 1000).toFixed(1)} s` : undefined)
      if (what !== undefined) findings.push({ target: target.name, what, input: Buffer.from(input.subarray(0, 4096)).toString('hex') })
    }
    if (findings.length >= findingsMax) break
    if (round % lookEvery === 0) grownMib = Math.max(grownMib, residentMib() - beforeMib)
  }
  grownMib = Math.max(grownMib, residentMib() - beforeMib)
  if (grownMib > grownMaxMib) findings.push({ target: 'all', what: `memory grew by ${grownMib.toFixed(0)} MiB`, input: '' })
  return { inputs, refused, slowestMs, findings, grownMib }
}

/** What is wrong, if anything. A hang of an asynchronous decoder ends the wait, not the decoder. */
async function takeOne(target: Target, input: Uint8Array, onRefused: () => void): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${inputMs / 1000} s`), inputMs)
  })
  try {
    const taken = target.take(input)
    return taken instanceof Promise ? await Promise.race([taken.then(() => undefined), late]) : undefined
  } catch (error) {
    onRefused()
    return isQuarryError(error) && !isWrapped(error) ? undefined : `threw ${error instanceof Error ? error.stack : String(error)}`
  } finally {
    clearTimeout(timer)
  }
}

/** INTERNAL that only repeats what a bug threw; one with words of its own was meant. */
function isWrapped(error: QuarryError): boolean {
  return error.code === 'INTERNAL' && error.cause instanceof Error && error.message === error.cause.message
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

const residentMib = (): number => process.memoryUsage.rss() / 2 ** 20
