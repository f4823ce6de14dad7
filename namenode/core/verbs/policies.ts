// Storage policies: which inode has which, as data.
import { QuarryError } from '../../../common/errors.ts'
import type { Request, StoragePoliciesReply, StoragePolicyReply } from '../../../proto/ports.ts'
import { checkPath, checkTraverse, READ, WRITE } from '../permissions.ts'
import { emptyReply, refuseInSafeMode } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'
import type { Inode } from '../model.ts'
import { ownPolicy, policyInForce, policyOfId, policyOfName, policyText, storagePolicies } from '../storage-policies.ts'

export function setStoragePolicy(context: PlanContext, request: Request<'setStoragePolicy'>): Planned {
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot set storage policy for ${at.path}`)
  return setPolicy(context, at, policyOfName(request.policy).id)
}

export function unsetStoragePolicy(context: PlanContext, request: Request<'unsetStoragePolicy'>): Planned {
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot unset storage policy for ${at.path}`)
  return setPolicy(context, at, 0)
}

function setPolicy(context: PlanContext, at: Resolved, policy: number): Planned {
  checkTraverse(context.caller, at)
  checkPath(context.caller, at, WRITE)
  const inode = existing(at)
  const own = ownPolicy(context.view, inode)
  if (inode.kind === 'file') {
    const next = policyOfId(policy)
    if (policy !== 0 && next.copyOnCreate)
      throw new QuarryError('INVALID_ARGUMENT', `Policy ${policyText(next)} cannot be set after file creation.`)
    const now = policyOfId(own)
    if (own !== 0 && now.copyOnCreate)
      throw new QuarryError('INVALID_ARGUMENT', `Existing policy ${policyText(now)} cannot be changed after file creation.`)
  }
  if (own === policy) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'setStoragePolicy', path: at.path, id: inode.id, policy } }
}

export function getStoragePolicy(context: PlanContext, request: Request<'getStoragePolicy'>): Planned<StoragePolicyReply> {
  const at = resolve(context.view, request.path)
  checkTraverse(context.caller, at)
  checkPath(context.caller, at, READ)
  return { reply: { policy: policyOfId(policyInForce(context.view, existing(at))) } }
}

export function getStoragePolicies(): Planned<StoragePoliciesReply> {
  return { reply: { policies: [...storagePolicies] } }
}

function existing(at: Resolved): Inode {
  if (at.last === undefined) throw new QuarryError('NOT_FOUND', `File/Directory does not exist: ${at.path}`, { path: at.path })
  return at.last
}
