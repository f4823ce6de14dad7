// What to do about a role that has ended by itself: start it again, a little later each time, until it is plain that this does not
// help. Pure: the supervisor carries it out.
import type { RoleExit } from './role-process.ts'

/** The first restart comes almost at once: most deaths are single ones, and every second without a namenode is felt. */
const backoffMs = { first: 200, factor: 3, max: 20_000 }
/** A role that dies more often than this within the window has a reason that another start does not remove. */
export const deathsMax = 5
export const deathsWindowMs = 5 * 60_000

export type RestartDecision =
  | { readonly kind: 'restart'; readonly afterMs: number }
  /** It was told to stop, by somebody else than us. */
  | { readonly kind: 'stopped' }
  /** It said why it cannot run; the same start would hear the same. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'given-up'; readonly deaths: number }

/** `deathsMs`: when it died before this time and now, oldest first. `refusal`: its own word for it, if it had one. */
export function restartDecision(exit: RoleExit, deathsMs: readonly number[], refusal: string | undefined): RestartDecision {
  if (refusal !== undefined) return { kind: 'refused', reason: refusal }
  if (exit.code === 0) return { kind: 'stopped' }
  const recent = deathsMs.filter((atMs) => atMs > exit.atMs - deathsWindowMs).length
  if (recent >= deathsMax) return { kind: 'given-up', deaths: recent }
  return { kind: 'restart', afterMs: Math.min(backoffMs.max, backoffMs.first * backoffMs.factor ** Math.max(0, recent - 1)) }
}
