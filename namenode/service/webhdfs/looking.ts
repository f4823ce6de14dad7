// Operations that look at files and directories.
import { QuarryError } from '../../../common/errors.ts'
import type { FileStatus, Request } from '../../../proto/ports.ts'
import { ChecksumType } from '../../../proto/ports.ts'
import { json, jsonText, nothing } from '../../../proto/webhdfs/answer.ts'
import type { Answer } from '../../../proto/webhdfs/answer.ts'
import { boolean, fsAction, integer, required } from '../../../proto/webhdfs/parameters.ts'
import { blockLocationsJson, locatedBlocksJson } from './blocks-json.ts'
import type { ReportOf } from './blocks-json.ts'
import type { WebCaller } from './callers.ts'
import type { Exchange, Operations } from './operation.ts'
import { listingJson, statusJson } from './status-json.ts'
import { listedNotFound, streamListing } from './stream-listing.ts'
import { typeQuotasJson } from './type-quotas-json.ts'

export const looking: Operations = {
  GETFILESTATUS: fileStatus,
  GETFILELINKSTATUS: fileStatus,
  LISTSTATUS: async ({ caller, target, response, headers }) => streamListing(caller, target.path, response, headers),
  LISTSTATUS_BATCH: async ({ caller, target }) => {
    const page = await caller.call('getListing', {
      path: target.path,
      startAfter: target.query.first('startafter') ?? '',
      needLocations: false,
      limit: 0,
    })
    if (!page.exists) throw listedNotFound(target.path)
    const { entries, last } = listingJson(page)
    const remaining = page.more ? await remainingAfter(caller, target.path, last) : 0
    return jsonText(
      `{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[${entries.join(',')}]}},"remainingEntries":${remaining}}}`,
    )
  },
  GETCONTENTSUMMARY: async ({ caller, target }) => {
    const summary = await caller.call('getContentSummary', { path: target.path })
    return json({
      ContentSummary: {
        directoryCount: summary.directories,
        ecPolicy: summary.erasureCodingPolicy ?? '',
        fileCount: summary.files,
        length: summary.length,
        quota: summary.quota,
        snapshotDirectoryCount: 0,
        snapshotFileCount: 0,
        snapshotLength: 0,
        snapshotSpaceConsumed: 0,
        spaceConsumed: summary.spaceConsumed,
        spaceQuota: summary.spaceQuota,
        typeQuota: typeQuotasJson(summary.types),
      },
    })
  },
  GETQUOTAUSAGE: async ({ caller, target }) => {
    const usage = await caller.call('getQuotaUsage', { path: target.path })
    const { fileAndDirectoryCount, quota, spaceConsumed, spaceQuota } = usage
    return json({ QuotaUsage: { fileAndDirectoryCount, quota, spaceConsumed, spaceQuota, typeQuota: typeQuotasJson(usage.types) } })
  },
  GETHOMEDIRECTORY: async ({ caller }) => json({ Path: home(caller.user) }),
  GETTRASHROOT: async ({ caller }) => json({ Path: trash(caller.user) }),
  GETTRASHROOTS: async (exchange) => {
    const { caller, target } = exchange
    const users = boolean(target.query, 'allusers', false) ? await homes(caller) : [caller.user]
    const found: string[] = []
    for (const user of users) {
      const path = trash(user)
      const file = await statusOf(caller, path).catch(() => undefined)
      if (file !== undefined) found.push(statusJson({ ...file, name: path }))
    }
    return jsonText(found.length === 0 ? '{"Paths":null}' : `{"Paths":[${found.join(',')}]}`)
  },
  GETSERVERDEFAULTS: async ({ caller }) => {
    const defaults = await caller.call('getServerDefaults', {})
    return json({
      FsServerDefaults: {
        blockSize: defaults.blockSize,
        bytesPerChecksum: defaults.bytesPerChecksum,
        checksumType: defaults.checksumType === ChecksumType.CHECKSUM_CRC32 ? 1 : 2,
        defaultStoragePolicyId: 7,
        encryptDataTransfer: false,
        fileBufferSize: defaults.fileBufferSize,
        keyProviderUri: '',
        replication: defaults.replication,
        trashInterval: defaults.trashIntervalMinutes,
        writePacketSize: defaults.writePacketSize,
      },
    })
  },
  GETSTATUS: async ({ caller }) => {
    const { used, remaining, capacity } = await caller.call('getFsStats', {})
    return json({ FsStatus: { used, remaining, capacity } })
  },
  CHECKACCESS: async ({ caller, target, op }) => {
    await caller.call('checkAccess', { path: target.path, mode: fsAction(required(target.query, 'fsaction', op)) })
    return nothing
  },
  GET_BLOCK_LOCATIONS: async (exchange) => json(locatedBlocksJson(await blocksOf(exchange), reports(exchange))),
  GETFILEBLOCKLOCATIONS: async (exchange) => json(blockLocationsJson(await blocksOf(exchange))),
}

async function fileStatus({ caller, target }: Exchange): Promise<Answer> {
  const file = await statusOf(caller, target.path)
  if (file === undefined) throw new QuarryError('NOT_FOUND', `File does not exist: ${target.path}`, { path: target.path })
  return jsonText(`{"FileStatus":${statusJson({ ...file, name: '' })}}`)
}

async function statusOf(caller: WebCaller, path: string): Promise<FileStatus | undefined> {
  return (await caller.call('getFileInfo', { path, needLocations: false })).file ?? undefined
}

/** At least 1, at most as many as the directory has: clients only ask whether there is more. */
async function remainingAfter(caller: WebCaller, path: string, after: string): Promise<number> {
  const next = await caller.call('getListing', { path, startAfter: after, needLocations: false, limit: 0 })
  return next.entries
}

async function blocksOf({ caller, target }: Exchange) {
  const { query, path } = target
  const offset = integer(query, 'offset', 0) ?? 0
  const request: Request<'getBlockLocations'> = { path, offset, length: integer(query, 'length', 0) ?? Number.MAX_SAFE_INTEGER - offset }
  const { blocks } = await caller.call('getBlockLocations', request)
  if (blocks === null) throw new QuarryError('NOT_FOUND', `File does not exist: ${path}`, { path })
  return blocks
}

function reports({ deps }: Exchange): ReportOf {
  const known = new Map(deps.cluster.datanodes(0).map((report) => [report.datanode?.uuid ?? '', report]))
  return (uuid) => known.get(uuid)
}

const home = (user: string): string => `/user/${user}`
const trash = (user: string): string => `${home(user)}/.Trash`

/** Trash of so many users is looked for. */
const homesMax = 10_000

async function homes(caller: WebCaller): Promise<string[]> {
  const users: string[] = []
  for (let startAfter = ''; users.length < homesMax;) {
    const page = await caller.call('getListing', { path: '/user', startAfter, needLocations: false, limit: 0 })
    if (!page.exists || page.isFile) break
    let at = 0
    const names = Buffer.from(page.names)
    for (const length of page.nameLengths) users.push(names.toString('utf8', at, (at += length)))
    if (!page.more || page.entries === 0) break
    startAfter = users.at(-1)!
  }
  return users
}
