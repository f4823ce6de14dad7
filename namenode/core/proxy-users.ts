// Who may act for whom: the rules and texts of Hadoop's proxy users (DefaultImpersonationProvider).
//
// A rule of `proxy.users` is user=WHO[@FROM]. Without a rule nobody acts for anybody, the superuser included.
import { QuarryError } from '../../common/errors.ts'

interface Network {
  /** Both as unsigned 32-bit numbers. */
  readonly address: number
  readonly mask: number
}

interface ProxyRule {
  readonly everybody: boolean
  readonly groups: ReadonlySet<string>
  readonly users: ReadonlySet<string>
  /** Empty = from anywhere. */
  readonly from: readonly Network[]
}

/** By the name of the user that acts. */
export type ProxyUsers = ReadonlyMap<string, ProxyRule>

const USER_PREFIX = 'user:'

/** Throws CONFIG for a rule that cannot be read. Of two rules for one user the last one counts. */
export function parseProxyUsers(rules: readonly string[]): ProxyUsers {
  const parsed = new Map<string, ProxyRule>()
  for (const rule of rules) {
    const equals = rule.indexOf('=')
    if (equals < 1 || equals === rule.length - 1) throw unreadable(rule, 'it is not of the form user=WHO[@FROM]')
    const at = rule.lastIndexOf('@')
    const who = rule.slice(equals + 1, at < 0 ? undefined : at).split('+')
    const from = at < 0 ? [] : rule.slice(at + 1).split('+')
    if (who.includes('')) throw unreadable(rule, 'a name is empty')
    parsed.set(rule.slice(0, equals), {
      everybody: who.includes('*'),
      groups: new Set(who.filter((name) => !name.startsWith(USER_PREFIX))),
      users: new Set(who.filter((name) => name.startsWith(USER_PREFIX)).map((name) => name.slice(USER_PREFIX.length))),
      from: from.includes('*') ? [] : from.map((text) => networkOf(text, rule)),
    })
  }
  return parsed
}

/**
 * Throws NOT_AUTHORIZED unless `realUser` may act for `user` from `address`, numeric IPv4. `groups` are those of `user`. Calls in
 * one's own name need no leave.
 */
export function authorizeProxy(rules: ProxyUsers, realUser: string, user: string, groups: readonly string[], address: string): void {
  if (realUser === '' || realUser === user) return
  const rule = rules.get(realUser)
  if (rule === undefined || !(rule.everybody || rule.users.has(user) || groups.some((group) => rule.groups.has(group)))) {
    throw new QuarryError('NOT_AUTHORIZED', `User: ${realUser} is not allowed to impersonate ${user}`, { realUser, user })
  }
  const caller = addressOf(address)
  if (rule.from.length === 0 || (caller !== undefined && rule.from.some((net) => (caller & net.mask) >>> 0 === net.address))) return
  throw new QuarryError('NOT_AUTHORIZED', `Unauthorized connection for super-user: ${realUser} from IP ${address}`, { realUser, address })
}

function networkOf(text: string, rule: string): Network {
  const [host, prefix = '32', ...more] = text.split('/')
  const address = addressOf(host!)
  const bits = /^\d{1,2}$/.test(prefix) ? Number(prefix) : 33
  if (address === undefined || bits > 32 || more.length > 0) throw unreadable(rule, `${text} is no IPv4 address or network`)
  const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0
  return { address: (address & mask) >>> 0, mask }
}

function addressOf(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number)
  if (parts === undefined || parts.some((part) => part > 255)) return undefined
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

const unreadable = (rule: string, why: string): QuarryError =>
  new QuarryError('CONFIG', `proxy.users: ${rule} cannot be read: ${why}.`, { rule })
