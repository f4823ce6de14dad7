import { expect, test } from 'vitest'
import { FileKind, StorageType } from '../../../proto/ports.ts'
import type { FileStatus, ListingReply } from '../../../proto/ports.ts'
import { aclText, parseAcl } from './acl-text.ts'
import { storageTypeName, storageTypeOf } from './blocks-json.ts'
import { listingJson, statusJson } from './status-json.ts'
import { decodeValue, encodeValue, encodingOf, parseXAttrName, setFlags, xattrName } from './xattr-text.ts'

const file: FileStatus = {
  kind: FileKind.KIND_FILE,
  name: 'a "quoted" ü',
  length: 12,
  permission: 0o640,
  owner: 'ann',
  group: 'staff',
  mtimeMs: 1000,
  atimeMs: 2000,
  replication: 3,
  blockSize: 1024,
  fileId: 16387,
  children: 0,
  storagePolicy: 2,
  underConstruction: false,
  locations: null,
  flags: 1,
}

test('the status of a file has all that Java casts', () => {
  expect(JSON.parse(statusJson(file))).toEqual({
    accessTime: 2000,
    aclBit: true,
    blockSize: 1024,
    childrenNum: 0,
    fileId: 16387,
    group: 'staff',
    length: 12,
    modificationTime: 1000,
    owner: 'ann',
    pathSuffix: 'a "quoted" ü',
    permission: '640',
    replication: 3,
    storagePolicy: 2,
    type: 'FILE',
  })
})

test('a listing in columns becomes the same objects, in order, with the name to go on after', () => {
  const page: ListingReply = {
    exists: true,
    isFile: false,
    more: false,
    entries: 2,
    names: Buffer.from('dirgrün'),
    nameLengths: [3, 5],
    kindPermission: [(FileKind.KIND_DIRECTORY << 16) | 0o1777, (FileKind.KIND_FILE << 16) | (1 << 15) | (1 << 14) | 0o644],
    length: [0, 7],
    mtimeMs: [1, 2],
    atimeMs: [0, 3],
    owner: [0, 1],
    group: [1, 1],
    principals: ['ann', 'staff'],
    replication: [0, 2],
    blockSize: [0, 512],
    fileId: [1, 2],
    children: [4, 0],
    locations: [],
    storagePolicy: [],
  }
  const { entries, last } = listingJson(page)
  const [directory, second] = entries.map((entry) => JSON.parse(entry) as Record<string, unknown>)
  expect(directory).toMatchObject({
    pathSuffix: 'dir',
    type: 'DIRECTORY',
    permission: '1777',
    owner: 'ann',
    group: 'staff',
    childrenNum: 4,
  })
  expect(directory).not.toHaveProperty('aclBit')
  expect(second).toMatchObject({ pathSuffix: 'grün', type: 'FILE', permission: '644', aclBit: true, length: 7, storagePolicy: 0 })
  expect(last).toBe('grün')
})

test('ACL entries go to text and back', () => {
  const text = 'user::rwx,user:bob:r-x,group::---,mask::rw-,other::r--,default:group:staff:rwx'
  expect(parseAcl(text, true).map(aclText).join(',')).toBe(text)
  expect(parseAcl('user:bob:', false).map(aclText)).toEqual(['user:bob:---'])
  expect(() => parseAcl('user:bob:', true)).toThrow('Invalid <aclSpec> : user:bob:')
  for (const bad of ['bogus', 'user:bob', 'user:bob:rwz', 'me:bob:rwx', ''])
    expect(() => parseAcl(bad, true)).toThrow(/Invalid value for webhdfs parameter "aclspec"/)
})

test('values of extended attributes in three encodings', () => {
  const bytes = Buffer.from('ab')
  expect(encodeValue(bytes, encodingOf('text'))).toBe('"ab"')
  expect(encodeValue(bytes, encodingOf('HEX'))).toBe('0x6162')
  expect(encodeValue(bytes, encodingOf('base64'))).toBe('0sYWI=')
  expect(encodeValue(new Uint8Array(0), 'HEX')).toBeNull()
  for (const text of ['"ab"', '0x6162', '0sYWI=', 'ab']) expect(Buffer.from(decodeValue(text)).toString()).toBe('ab')
  expect(decodeValue(undefined)).toHaveLength(0)
  expect(() => decodeValue('0x123')).toThrow(/is not hexadecimal/)
  expect(() => encodingOf('rot13')).toThrow(/XAttrCodec.ROT13/)
})

test('names and flags of extended attributes', () => {
  const name = parseXAttrName('User.a.b')
  expect(xattrName({ ...name, value: new Uint8Array(0) })).toBe('user.a.b')
  for (const bad of ['bogus.a', 'user', '.a', 'constructor.a'])
    expect(() => parseXAttrName(bad)).toThrow(/must be prefixed with user\/trusted/)
  expect(setFlags('create,REPLACE')).toBe(3)
  expect(setFlags(undefined)).toBe(0)
  expect(() => setFlags('maybe')).toThrow(/XAttrSetFlag.MAYBE/)
})

test('types of storage by name', () => {
  expect(storageTypeName(StorageType.STORAGE_RAM_DISK)).toBe('RAM_DISK')
  expect(storageTypeName(StorageType.STORAGE_UNSPECIFIED)).toBe('DISK')
  expect(storageTypeOf('ssd')).toBe(StorageType.STORAGE_SSD)
  expect(storageTypeOf('UNSPECIFIED')).toBeUndefined()
  expect(storageTypeOf('floppy')).toBeUndefined()
})
