import { describe, expect, test } from 'vitest'
import { parseArguments } from './command-format.ts'
import { Configuration, parseBytes, takeGenericOptions } from './configuration.ts'
import { describeFailure, inputOutput, notFound, PathError, ShellError } from './errors.ts'
import { helpTexts } from './help-texts.ts'
import { verbs } from './registry.ts'
import { currentVerbs, fullUsage, verbUsage } from './usage.ts'

describe('parseArguments', () => {
  const rules = { min: 1, flags: ['f', 'R'], valued: ['t'] }

  test('takes flags in front of the paths and no others', () => {
    const { flags, values, paths } = parseArguments(['-f', '-t', '4', 'a', '-R'], rules)
    expect([[...flags], [...values], paths]).toEqual([['f'], [['t', '4']], ['a', '-R']])
  })

  test('a lone dash is a path, two dashes end the flags', () => {
    expect(parseArguments(['-', 'x'], rules).paths).toEqual(['-', 'x'])
    expect(parseArguments(['--', '-f'], rules).paths).toEqual(['-f'])
  })

  test('a value is left out where the word is needed as a path', () => {
    const { values, paths } = parseArguments(['-t', 'a'], rules)
    expect([values.get('t'), paths]).toEqual(['', ['a']])
  })

  test.each([
    [['-x', 'a'], 'Illegal option -x'],
    [[], 'Not enough arguments: expected 1 but got 0'],
  ])('%j is refused: %s', (words, message) => {
    expect(() => parseArguments(words, rules)).toThrow(message)
  })

  test('too many arguments are counted', () => {
    expect(() => parseArguments(['a', 'b'], { min: 1, max: 1 })).toThrow('Too many arguments: expected 1 but got 2')
  })
})

describe('generic options', () => {
  test('stand in front of the verb and end there', () => {
    const { configuration, rest } = takeGenericOptions([
      '-fs',
      'quarry://h:1',
      '-D',
      'dfs.replication=2',
      '-Ddfs.blocksize=64m',
      '-jt',
      'local',
      '-ls',
      '-D',
    ])
    expect(configuration.get('fs.defaultFS')).toBe('quarry://h:1')
    expect(configuration.int('dfs.replication')).toBe(2)
    expect(configuration.bytes('dfs.blocksize')).toBe(64 * 1024 ** 2)
    expect(rest).toEqual(['-ls', '-D'])
  })

  test('values that are none are refused by key', () => {
    const configuration = new Configuration()
    configuration.set('dfs.replication', 'x')
    configuration.set('fs.permissions.umask-mode', '9')
    configuration.set('dfs.bytes-per-checksum', '1024')
    expect(() => configuration.int('dfs.replication')).toThrow('dfs.replication=x: expected a whole number.')
    expect(() => configuration.umask()).toThrow('fs.permissions.umask-mode=9')
    expect(() => configuration.check()).toThrow('dfs.bytes-per-checksum=1024: Quarry writes 512 bytes a checksum.')
  })

  test.each([
    ['1048576', 1_048_576],
    ['64k', 65_536],
    ['1G', 1024 ** 3],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseBytes(text, 'k')).toBe(bytes)
  })

  test.each(['64q', 'm', '', '1.5g'])('%j is no size', (text) => {
    expect(() => parseBytes(text, 'k')).toThrow('expected bytes')
  })
})

describe('messages', () => {
  test('name the path as typed, and its URI where that says more', () => {
    expect(notFound('a/b').message).toBe("`a/b': No such file or directory")
    expect(notFound('a', 'quarry://h:1/user/x/a').message).toBe("`a': No such file or directory: `quarry://h:1/user/x/a'")
    expect(notFound('quarry://h:1/a', 'quarry://h:1/a').message).toBe("`quarry://h:1/a': No such file or directory")
    expect(inputOutput('a', { operation: 'rename', target: 'b' }).message).toBe("rename `a' to `b': Input/output error")
    expect(new PathError('a', 'NOT_EMPTY').message).toBe("`a': Directory is not empty")
  })

  test('show the first line of what went wrong', () => {
    expect(describeFailure(new ShellError('first\nsecond')).message).toBe('first')
    expect(describeFailure(new Error('boom\n  at x')).message).toBe('boom')
  })
})

test('every verb of the usage has help, and every old spelling says what replaces it', () => {
  expect(currentVerbs().filter((name) => helpTexts[name] === undefined)).toEqual([])
  expect(
    Object.entries(verbs)
      .filter(([, { replacement }]) => replacement !== undefined)
      .map(([name]) => name),
  ).toEqual(['dus', 'lsr', 'rmr'])
  expect(fullUsage()).toContain(`\t[${verbUsage('ls')}]\n`)
})

test('every verb loads', async () => {
  for (const [name, { load }] of Object.entries(verbs)) expect(await load(), name).toBeTypeOf('function')
})
