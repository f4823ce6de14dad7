import { describe, expect, it } from 'vitest'
import { authorizeProxy, parseProxyUsers } from './proxy-users.ts'

const rules = parseProxyUsers(['hue=*', 'knox=staff+user:ann@10.0.0.1+192.168.0.0/16'])
const as = (realUser: string, user: string, groups: string[], address: string) => () =>
  authorizeProxy(rules, realUser, user, groups, address)

describe('acting for others', () => {
  it("needs no leave in one's own name", () => {
    expect(as('', 'bob', [], '1.2.3.4')).not.toThrow()
    expect(as('bob', 'bob', [], '1.2.3.4')).not.toThrow()
  })

  it('is refused to everybody without a rule, in the words of Hadoop', () => {
    expect(as('root', 'ann', [], '127.0.0.1')).toThrow(
      expect.objectContaining({ code: 'NOT_AUTHORIZED', message: 'User: root is not allowed to impersonate ann' }),
    )
  })

  it('is allowed for everybody by a star, and else by group or by name', () => {
    expect(as('hue', 'whoever', [], '8.8.8.8')).not.toThrow()
    expect(as('knox', 'bob', ['users', 'staff'], '10.0.0.1')).not.toThrow()
    expect(as('knox', 'ann', [], '10.0.0.1')).not.toThrow()
    expect(as('knox', 'bob', ['users'], '10.0.0.1')).toThrow('User: knox is not allowed to impersonate bob')
    expect(as('knox', 'staff', [], '10.0.0.1')).toThrow('User: knox is not allowed to impersonate staff')
  })

  it('is bound to the addresses that a rule names', () => {
    expect(as('knox', 'ann', [], '192.168.255.7')).not.toThrow()
    for (const address of ['10.0.0.2', '192.169.0.1', '::1', ''])
      expect(as('knox', 'ann', [], address)).toThrow(`Unauthorized connection for super-user: knox from IP ${address}`)
  })

  it.each(['hue', '=x', 'hue=', 'hue=a++b', 'hue=*@', 'hue=*@host', 'hue=*@10.0.0.0/33', 'hue=*@10.0.0.256', 'hue=*@1.2.3.4/8/8'])(
    'refuses the rule %s',
    (rule) => {
      expect(() => parseProxyUsers([rule])).toThrow(expect.objectContaining({ code: 'CONFIG' }))
    },
  )
})
