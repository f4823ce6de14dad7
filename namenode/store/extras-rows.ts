// The rows of extras: JSON of what an inode has beside its row. A disk may give back something else than was written.
import type { Extras } from '../core/model.ts'
import { noExtras } from '../core/extras.ts'
import { damaged } from './sqlite-errors.ts'

/** Throws CONFIG when the text is no extras. */
export function parseExtras(json: string, inodeId: number): Extras {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch (error) {
    throw damaged(`the attributes of inode ${inodeId} are no JSON (${(error as Error).message})`, error)
  }
  if (typeof parsed !== 'object' || parsed === null) throw damaged(`the attributes of inode ${inodeId} are no record`)
  const extras = { ...noExtras, ...(parsed as Partial<Extras>) }
  const { acl, xattrs, storagePolicy, typeQuotas } = extras
  if (![acl, xattrs, typeQuotas].every(Array.isArray) || !Number.isSafeInteger(storagePolicy))
    throw damaged(`the attributes of inode ${inodeId} are something else`)
  return extras
}
