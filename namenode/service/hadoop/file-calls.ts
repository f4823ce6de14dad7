// ClientProtocol: files and directories, by name.
import { QuarryError } from '../../../common/errors.ts'
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import { later, rpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import type { Request } from '../../../proto/ports.ts'
import { boolReply, noReply, viaCore, viaCoreEncoded } from './session.ts'
import type { HadoopCall, HadoopMethod, HadoopMethods } from './session.ts'
import { listingResponse, locationsResponse, statusResponse } from './statuses.ts'

/** Some clients send bits of their own platform along, such as Go its bit for directories. */
const PERMISSION_BITS = 0o1777
const CREATE = 1
const OVERWRITE = 2

const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')

type Unmasked = { readonly unmasked: { readonly perm: number } | undefined }
const unmaskedOf = ({ unmasked }: Unmasked): { hasUnmasked: boolean; unmasked: number } =>
  unmasked === undefined ? { hasUnmasked: false, unmasked: 0 } : { hasUnmasked: true, unmasked: unmasked.perm & PERMISSION_BITS }

/** Status of a path; a missing one is a success without a status, which the client turns into its own error. */
const status = (needLocations: boolean): HadoopMethod =>
  viaCoreEncoded(
    'PathRequest',
    'OptionalStatus',
    'getFileInfo',
    ({ path }) => ({ path, needLocations }),
    ({ file }) => statusResponse(file),
  )

export const fileCalls: HadoopMethods = {
  getFileInfo: status(false),
  getFileLinkInfo: status(false),
  getLocatedFileInfo: viaCoreEncoded(
    'LocatedFileRequest',
    'OptionalStatus',
    'getFileInfo',
    ({ src }) => ({ path: src ?? '', needLocations: true }),
    ({ file }) => statusResponse(file),
  ),
  isFileClosed: viaCore('PathRequest', 'BoolResult', 'isFileClosed', ({ path }) => ({ path }), boolReply),
  getListing: viaCoreEncoded(
    'HdfsListingRequest',
    'HdfsListingResponse',
    'getListing',
    ({ src, startAfter, needLocation }) => ({
      path: src,
      startAfter: startAfter.length === 0 ? '' : utf8(startAfter),
      needLocations: needLocation,
      limit: 0,
    }),
    (page, { needLocation }) => listingResponse(page, needLocation),
  ),
  getBlockLocations: viaCoreEncoded(
    'LocationsRequest',
    'LocationsResponse',
    'getBlockLocations',
    ({ src, offset, length }) => ({ path: src, offset, length }),
    ({ blocks }) => locationsResponse(blocks!),
  ),
  getPreferredBlockSize: viaCore(
    'PathRequest',
    'BlockSizeResponse',
    'getFileInfo',
    ({ path }) => ({ path, needLocations: false }),
    ({ file }, { path }) => {
      if (file === null) throw new QuarryError('NOT_FOUND', `File does not exist: ${path}`, { path })
      if (file.blockSize === 0) throw new QuarryError('NOT_A_FILE', `Path is not a file: ${path}`, { path })
      return { blockSize: file.blockSize }
    },
  ),
  getLinkTarget: viaCore(
    'PathRequest',
    'OptionalPath',
    'getLinkTarget',
    ({ path }) => ({ path }),
    ({ path }) => ({ path }),
  ),
  getEnclosingRoot: viaCore(
    'OptionalPathRequest',
    'OptionalPath',
    'getEnclosingRoot',
    ({ path }) => ({ path: path ?? '' }),
    ({ path }) => ({ path }),
  ),
  mkdirs: viaCore(
    'HdfsMkdirsRequest',
    'BoolResult',
    'mkdirs',
    (request) => ({
      path: request.src,
      permission: request.masked.perm & PERMISSION_BITS,
      createParent: request.createParent,
      ...unmaskedOf(request),
    }),
    boolReply,
  ),
  create: rpcMethod('HdfsCreateRequest', 'OptionalStatus', create),
  rename: viaCore('TwoPathsRequest', 'BoolResult', 'rename', ({ first, second }) => ({ source: first, target: second }), boolReply),
  rename2: viaCore(
    'Rename2HadoopRequest',
    'Nothing',
    'rename2',
    ({ src, dst, overwrite, toTrash }) => ({ source: src, target: dst, overwrite, toTrash: toTrash ?? false }),
    noReply,
  ),
  delete: viaCore('HdfsDeleteRequest', 'BoolResult', 'delete', ({ src, recursive }) => ({ path: src, recursive }), boolReply),
  concat: viaCore('HdfsConcatRequest', 'Nothing', 'concat', ({ target, sources }) => ({ target, sources }), noReply),
  truncate: rpcMethod('HdfsTruncateRequest', 'BoolResult', truncate),
  setReplication: viaCore(
    'HdfsSetReplicationRequest',
    'BoolResult',
    'setReplication',
    ({ src, replication }) => ({ path: src, replication }),
    boolReply,
  ),
  setPermission: viaCore(
    'HdfsSetPermissionRequest',
    'Nothing',
    'setPermission',
    ({ src, permission }) => ({ path: src, permission: permission.perm & PERMISSION_BITS }),
    noReply,
  ),
  setOwner: viaCore(
    'HdfsSetOwnerRequest',
    'Nothing',
    'setOwner',
    ({ src, user, group }) => ({ path: src, owner: user ?? '', group: group ?? '' }),
    noReply,
  ),
  setTimes: viaCore(
    'HdfsSetTimesRequest',
    'Nothing',
    'setTimes',
    ({ src, mtime, atime }) => ({ path: src, mtimeMs: mtime, atimeMs: atime }),
    noReply,
  ),
  createSymlink: viaCore(
    'HdfsSymlinkRequest',
    'Nothing',
    'createSymlink',
    ({ target, link, permission, createParent }) => ({ target, link, permission: permission.perm & PERMISSION_BITS, createParent }),
    noReply,
  ),
  checkAccess: viaCore('HdfsCheckAccessRequest', 'Nothing', 'checkAccess', ({ path, mode }) => ({ path, mode }), noReply),
}

function create(call: HadoopCall, request: MessageTypes['HdfsCreateRequest']): typeof later {
  const { session } = call
  if ((request.ecPolicy ?? '') !== '') {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Policy '${request.ecPolicy}' does not match any enabled erasure coding policies: []. An erasure coding policy can be enabled by enableErasureCodingPolicy API.`,
    )
  }
  if (request.replication === 0) {
    // The core takes 0 for "the default".
    throw new QuarryError(
      'REFUSED',
      `Requested replication factor of 0 is less than the required minimum of 1 for ${request.src}, clientName=${session.caller.remoteAddress}`,
    )
  }
  const command: Request<'create'> = {
    path: request.src,
    permission: request.masked.perm & PERMISSION_BITS,
    holder: request.clientName,
    overwrite: (request.flag & OVERWRITE) !== 0,
    createParent: request.createParent,
    replication: request.replication,
    blockSize: request.blockSize,
    storagePolicy: request.storagePolicy ?? '',
    ...unmaskedOf(request),
  }
  const make = (): void =>
    session.submit(call, 'create', command, (error, reply) => {
      if (error !== undefined) call.fail(error)
      else call.replyEncoded(statusResponse((reply as { file: Parameters<typeof statusResponse>[0] }).file))
    })
  if ((request.flag & CREATE) !== 0) {
    make()
    return later
  }
  // Only overwriting was asked for: there must be something to overwrite.
  session.submit(call, 'getFileInfo', { path: request.src, needLocations: false }, (error, reply) => {
    if (error !== undefined) return call.fail(error)
    if ((reply as { file: object | null }).file !== null) return make()
    call.fail(new QuarryError('NOT_FOUND', `Can't overwrite non-existent ${request.src}`))
  })
  return later
}

/** Hadoop's clients do not know that the kept part of a cut block has to be copied (decision 8). */
function truncate(call: HadoopCall, { src, newLength, clientName }: MessageTypes['HdfsTruncateRequest']): typeof later {
  const { session } = call
  const command: Request<'truncate'> = { path: src, newLength, holder: clientName, tailPath: '', tailOfBlock: 0 }
  session.submit(call, 'truncate', command, (error, reply) => {
    if (error === undefined) call.reply(boolReply(reply as { value: boolean }))
    else if (error.code !== 'UNSUPPORTED' || session.cut === undefined) call.fail(error)
    else
      session.cut(src, newLength).then(
        (value) => call.reply(boolReply({ value })),
        (failure: unknown) => call.fail(failure),
      )
  })
  return later
}
