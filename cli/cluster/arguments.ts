// Parsing of flags that the cluster commands share.
import { QuarryError } from '../../common/errors.ts'

/** A parser for commander that takes whole numbers only; bounds are checked where the number is used. */
export function wholeNumber(flag: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}$/.test(text)) throw new QuarryError('CONFIG', `${flag} is "${text}"; expected a whole number`)
    return Number(text)
  }
}

/** For flags that may be repeated. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
