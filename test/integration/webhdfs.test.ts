// WebHDFS over real sockets, with nothing but HTTP: what clients send, what they must get, and what must not hurt.
import http from 'node:http'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

let cluster: MiniCluster
let base: string
const me = `user.name=${process.env['USER'] ?? 'root'}`

beforeAll(async () => {
  cluster = await MiniCluster.start({
    datanodes: 2,
    settings: { 'proxy.users': ['hue=user:ann'], 'cors.origins': ['https://files.example.org'] },
  })
  base = `http://${cluster.namenode.http}/webhdfs/v1`
})
afterAll(() => cluster.close())

const manual = { redirect: 'manual' } as const

async function json(url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${base}${url}`, init)
  return { status: response.status, body: await response.json() }
}

/** Asks the namenode where to, then does it there. */
async function create(path: string, body: Uint8Array | string, more = ''): Promise<Response> {
  const first = await fetch(`${base}${path}?op=CREATE&${me}${more}`, { method: 'PUT', ...manual })
  expect(first.status).toBe(307)
  expect(await first.text()).toBe('')
  return fetch(first.headers.get('location')!, { method: 'PUT', body })
}

async function read(path: string, more = ''): Promise<Buffer> {
  const response = await fetch(`${base}${path}?op=OPEN&${me}${more}`)
  expect(response.status).toBe(200)
  const bytes = Buffer.from(await response.arrayBuffer())
  expect(response.headers.get('content-length')).toBe(String(bytes.length))
  return bytes
}

const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff))

test('create in two steps: 307, then 201 with where it is; the file is whole when the answer is there', async () => {
  const bytes = pattern(300_000)
  const made = await create('/two/steps', bytes, '&permission=640&blocksize=65536&replication=2')
  expect(made.status).toBe(201)
  expect(made.headers.get('location')).toMatch(/^hdfs:\/\/127\.0\.0\.1:\d+\/two\/steps$/)
  expect(made.headers.get('content-length')).toBe('0')
  const { body } = await json(`/two/steps?op=GETFILESTATUS&${me}`)
  expect(body).toMatchObject({
    FileStatus: { length: 300_000, permission: '640', blockSize: 65_536, replication: 2, type: 'FILE', pathSuffix: '' },
  })
  expect(await read('/two/steps')).toEqual(bytes)
  const again = await create('/two/steps', 'other')
  expect(again.status).toBe(403)
  expect(await again.json()).toMatchObject({ RemoteException: { exception: 'FileAlreadyExistsException' } })
  expect((await create('/two/steps', 'short', '&overwrite=True')).status).toBe(201)
  expect((await read('/two/steps')).toString()).toBe('short')
})

test('an empty file, with no body at all', async () => {
  const first = await fetch(`${base}/empty?op=CREATE&${me}`, { method: 'PUT', ...manual })
  expect((await fetch(first.headers.get('location')!, { method: 'PUT' })).status).toBe(201)
  expect(await read('/empty')).toHaveLength(0)
})

test('noredirect tells where to go; the address may be used again and added to', async () => {
  const { status, body } = await json(`/told?op=CREATE&${me}&NoRedirect=true`, { method: 'PUT' })
  expect(status).toBe(200)
  const { Location } = body as { Location: string }
  expect(Location).toContain('?')
  expect(Location).not.toMatch(/noredirect/i)
  expect((await fetch(Location, { method: 'PUT', body: 'one' })).status).toBe(201)
  expect((await fetch(`${Location}&overwrite=true`, { method: 'PUT', body: 'two' })).status).toBe(201)
  // Older fsspec makes an address to append to out of one to create at.
  const toAppend = Location.replace('op=CREATE', 'op=APPEND')
  for (const part of ['+', 'three']) expect((await fetch(toAppend, { method: 'POST', body: part })).status).toBe(200)
  expect((await read('/told')).toString()).toBe('two+three')
})

test('ranges have their exact length, beyond the end is refused', async () => {
  const bytes = pattern(10_000)
  await create('/ranges', bytes, '&blocksize=4096')
  for (const [offset, length] of [
    [0, 1],
    [1, 4095],
    [4095, 2],
    [4096, 4096],
    [9_999, 1],
    [5_000, 100_000],
  ] as const) {
    expect(await read('/ranges', `&offset=${offset}&length=${length}`)).toEqual(bytes.subarray(offset, offset + length))
  }
  expect(await read('/ranges', '&length=0')).toHaveLength(0)
  const { status, body } = await json(`/ranges?op=OPEN&${me}&offset=10000`)
  expect(status).toBe(403)
  expect(body).toMatchObject({
    RemoteException: { exception: 'IOException', message: 'Offset=10000 out of the range [0, 10000); OPEN, path=/ranges' },
  })
})

test('append goes on where the file ends, in chunks without a length', async () => {
  await create('/grows', 'a')
  for (const part of ['b', 'c'.repeat(70_000)]) {
    const first = await fetch(`${base}/grows?op=APPEND&${me}`, { method: 'POST', ...manual })
    expect(first.status).toBe(307)
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from(part))
        controller.close()
      },
    })
    const done = await fetch(first.headers.get('location')!, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(done.status).toBe(200)
  }
  expect((await read('/grows')).toString()).toBe(`ab${'c'.repeat(70_000)}`)
})

test('names with spaces, plus, percent, semicolons and letters of any language', async () => {
  const name = 'a b+c;d%e&f=g?ü😀'
  const path = `/names/${encodeURIComponent(name)}`
  expect((await create(path, 'x')).status).toBe(201)
  const { body } = await json(`/names?op=LISTSTATUS&${me}`)
  expect(body).toMatchObject({ FileStatuses: { FileStatus: [{ pathSuffix: name }] } })
  expect((await read(path)).toString()).toBe('x')
  const renamed = await json(`${path}?op=RENAME&${me}&destination=${encodeURIComponent('/names/ä+ö')}`, { method: 'PUT' })
  expect(renamed.body).toEqual({ boolean: true })
  expect((await read('/names/%C3%A4+%C3%B6')).toString()).toBe('x')
})

test('letters beyond ASCII as plain bytes, which Java sends, several requests on one connection and in pieces', async () => {
  await create('/pl%C3%A4in', 'x')
  const { port, hostname } = new URL(base)
  const socket = net.connect(Number(port), hostname)
  let seen = ''
  socket.on('data', (data) => (seen += String(data)))
  const line = Buffer.from(`GET /webhdfs/v1/pläin?op=GETFILESTATUS&${me} HTTP/1.1\r\n`)
  for (let turn = 1; turn <= 3; turn++) {
    socket.write(line.subarray(0, 18))
    await sleep(20)
    socket.write(line.subarray(18))
    socket.write('Host: x\r\n\r\n')
    await waitFor(async () => (seen.split('"length":1,').length === turn + 1 ? undefined : seen), `answer ${turn}`)
  }
  socket.write(Buffer.from(`PUT /webhdfs/v1/pläin?op=SETTIMES&${me} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nüü`))
  socket.write(`GET /webhdfs/v1/?op=GETHOMEDIRECTORY&user.name=last HTTP/1.1\r\nHost: x\r\n\r\n`)
  await waitFor(async () => (seen.includes('/user/last') ? undefined : seen), 'the answer after a body')
  socket.destroy()
})

test('Expect: 100-continue is answered with the redirect at the namenode, and with go on at the datanode', async () => {
  const target = new URL(`${base}/expected?op=CREATE&${me}`)
  const asked = await exchange(target, { method: 'PUT', headers: { 'expect': '100-continue', 'content-length': 5 } })
  expect(asked).toMatchObject({ status: 307, continued: false })
  const sent = await exchange(
    new URL(asked.location!),
    { method: 'PUT', headers: { 'expect': '100-continue', 'content-length': 5 } },
    'hello',
  )
  expect(sent).toMatchObject({ status: 201, continued: true })
  const refused = await exchange(
    new URL(asked.location!),
    { method: 'PUT', headers: { 'expect': '100-continue', 'content-length': 5 } },
    'again',
  )
  expect(refused).toMatchObject({ status: 403, continued: false })
  expect((await read('/expected')).toString()).toBe('hello')
})

interface Outcome {
  readonly status: number
  readonly location: string | undefined
  readonly continued: boolean
}

/** Sends the body only when it is asked for. */
function exchange(url: URL, options: http.RequestOptions, body?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let continued = false
    const request = http.request(url, { ...options, agent: false }, (response) => {
      response.resume()
      resolve({ status: response.statusCode!, location: response.headers.location, continued })
      request.destroy()
    })
    request.on('continue', () => {
      continued = true
      request.end(body)
    })
    request.on('error', reject)
    request.flushHeaders()
  })
}

test('an upload that breaks off leaves no file, and the name is free for the next one', async () => {
  const first = await fetch(`${base}/broken?op=CREATE&${me}`, { method: 'PUT', ...manual })
  const url = new URL(first.headers.get('location')!)
  const socket = net.connect(Number(url.port), url.hostname)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(`PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(200_000)}`)
  await waitFor(
    async () => ((await json(`/broken?op=GETFILESTATUS&${me}`)).status === 200 ? undefined : 'not there yet'),
    'the upload to begin',
  )
  socket.destroy()
  await waitFor(
    async () => ((await json(`/broken?op=GETFILESTATUS&${me}`)).status === 404 ? undefined : 'still there'),
    'the half file to go',
  )
  expect((await create('/broken', 'whole')).status).toBe(201)
})

test('an append that breaks off leaves a closed file that can be appended to', async () => {
  await create('/half', 'start')
  const first = await fetch(`${base}/half?op=APPEND&${me}`, { method: 'POST', ...manual })
  const url = new URL(first.headers.get('location')!)
  const socket = net.connect(Number(url.port), url.hostname)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(`POST ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nmore.\r\n`)
  await sleep(200)
  socket.destroy()
  const fs = await cluster.connect()
  await waitFor(async () => ((await fs.stat('/half')).isOpen ? 'open' : undefined), 'the file to be closed')
  const again = await fetch(first.headers.get('location')!, { method: 'POST', body: '!' })
  expect(again.status).toBe(200)
  expect((await read('/half')).toString()).toMatch(/^start(more\.)?!$/)
})

test('what is wrong is told as HDFS tells it', async () => {
  const cases = [
    ['GET', '/nope?op=GETFILESTATUS', 404, 'FileNotFoundException', 'File does not exist: /nope'],
    ['GET', '/nope?op=LISTSTATUS', 404, 'FileNotFoundException', 'File /nope does not exist.'],
    ['GET', '/nope?op=OPEN', 404, 'FileNotFoundException', 'File /nope not found.'],
    ['GET', '/?op=BOGUS', 400, 'IllegalArgumentException', 'Invalid value for webhdfs parameter "op": BOGUS is not a valid GET operation.'],
    [
      'GET',
      '/?op=constructor',
      400,
      'IllegalArgumentException',
      'Invalid value for webhdfs parameter "op": CONSTRUCTOR is not a valid GET operation.',
    ],
    ['GET', '/', 400, 'UnsupportedOperationException', 'op=NULL is not supported'],
    ['PUT', '/x?op=RENAME', 400, 'IllegalArgumentException', 'Required param destination for op: RENAME is null or empty'],
    ['PUT', '/x?op=SETOWNER', 400, 'IllegalArgumentException', 'Both owner and group are empty.'],
    [
      'PUT',
      '/?op=ENABLEECPOLICY&ecpolicy=x',
      400,
      'UnsupportedOperationException',
      'ENABLEECPOLICY is not supported: there is no erasure coding here.',
    ],
  ] as const
  for (const [method, url, status, exception, message] of cases) {
    expect(await json(url, { method }), url).toMatchObject({ status, body: { RemoteException: { exception, message } } })
  }
})

test('users: permissions hold, nobody is dr.who, and only allowed proxies act for others', async () => {
  await fetch(`${base}/private?op=MKDIRS&${me}&permission=700`, { method: 'PUT' })
  expect(await json('/private/x?op=MKDIRS&user.name=bob', { method: 'PUT' })).toMatchObject({
    status: 403,
    body: { RemoteException: { exception: 'AccessControlException' } },
  })
  expect((await json('/?op=GETHOMEDIRECTORY')).body).toEqual({ Path: '/user/dr.who' })
  expect((await json('/?op=GETHOMEDIRECTORY&user.name=ann&user.name=bob')).body).toEqual({ Path: '/user/ann' })
  expect((await json('/?op=GETHOMEDIRECTORY&user.name=a%20b')).status).toBe(400)
  expect((await json('/?op=GETHOMEDIRECTORY&user.name=hue&doas=ann')).body).toEqual({ Path: '/user/ann' })
  expect(await json('/?op=GETHOMEDIRECTORY&user.name=hue&doas=bob')).toMatchObject({
    status: 403,
    body: { RemoteException: { exception: 'AuthorizationException', message: 'User: hue is not allowed to impersonate bob' } },
  })
  // The datanode acts for the same user, and asks the namenode whether it may.
  await fetch(`${base}/home-of-ann?op=MKDIRS&${me}`, { method: 'PUT' })
  await fetch(`${base}/home-of-ann?op=SETOWNER&${me}&owner=ann`, { method: 'PUT' })
  const first = await fetch(`${base}/home-of-ann/f?op=CREATE&user.name=hue&doas=ann`, { method: 'PUT', ...manual })
  const location = first.headers.get('location')!
  expect((await fetch(location, { method: 'PUT', body: 'x' })).status).toBe(201)
  expect((await json('/home-of-ann/f?op=GETFILESTATUS')).body).toMatchObject({ FileStatus: { owner: 'ann' } })
  expect((await fetch(location.replace('doas=ann', 'doas=bob'), { method: 'PUT', body: 'x' })).status).toBe(403)
  expect(
    (await fetch(location.replace('user.name=hue&doas=ann', 'user.name=bob').replace('/f?', '/g?'), { method: 'PUT', body: 'x' })).status,
  ).toBe(403)
})

test('pages of other origins can do nothing, those of cors.origins are let in', async () => {
  const good = { origin: 'https://files.example.org' }
  const datanode = `http://${cluster.datanodes[0]!.http}/webhdfs/v1`
  for (const at of [base, datanode]) {
    const evil = await fetch(`${at}/x?op=${at === base ? 'MKDIRS' : 'CREATE'}&${me}`, {
      method: 'PUT',
      headers: { origin: 'https://evil.example' },
    })
    expect(evil.status).toBe(403)
    expect(evil.headers.get('access-control-allow-origin')).toBeNull()
    const flight = await fetch(`${at}/x?op=CREATE&${me}`, { method: 'OPTIONS', headers: good })
    expect(flight.status).toBe(200)
    expect(flight.headers.get('access-control-allow-origin')).toBe(good.origin)
    expect(flight.headers.get('access-control-allow-methods')).toContain('PUT')
  }
  expect((await json(`/x?op=GETFILESTATUS&${me}`)).status).toBe(404)
  const seen = await fetch(`${base}/?op=GETFILESTATUS&${me}`, { headers: good })
  expect(seen.status).toBe(200)
  expect(seen.headers.get('access-control-allow-origin')).toBe(good.origin)
})

test('a listing of more than a page is whole, in order, and comes in pages where asked for', async () => {
  const fs = await cluster.connect()
  await Promise.all(Array.from({ length: 1_500 }, (_, i) => fs.mkdir(`/many/d${String(i).padStart(5, '0')}`, { recursive: true })))
  const { body } = await json(`/many?op=LISTSTATUS&${me}`)
  const names = (body as { FileStatuses: { FileStatus: { pathSuffix: string }[] } }).FileStatuses.FileStatus.map((one) => one.pathSuffix)
  expect(names).toEqual(Array.from({ length: 1_500 }, (_, i) => `d${String(i).padStart(5, '0')}`))
  const batches: string[] = []
  for (let left = 1, after = ''; left > 0;) {
    const page = (await json(`/many?op=LISTSTATUS_BATCH&${me}&startAfter=${after}`)).body as {
      DirectoryListing: { partialListing: { FileStatuses: { FileStatus: { pathSuffix: string }[] } }; remainingEntries: number }
    }
    batches.push(...page.DirectoryListing.partialListing.FileStatuses.FileStatus.map((one) => one.pathSuffix))
    left = page.DirectoryListing.remainingEntries
    after = batches.at(-1)!
  }
  expect(batches).toEqual(names)
})

test('the checksum is that of the SDK, and excluded datanodes are not sent to', async () => {
  await create('/sum', pattern(5_000))
  const { body } = await json(`/sum?op=GETFILECHECKSUM&${me}`)
  const fs = await cluster.connect()
  const { algorithm, hex } = await fs.checksum('/sum')
  expect(body).toEqual({ FileChecksum: { algorithm, bytes: `${hex}00000000`, length: 28 } })
  const [one, other] = cluster.datanodes.map((node) => node!.http)
  for (const [excluded, left] of [
    [one, other],
    [other, one],
  ]) {
    for (const [op, method] of [
      ['CREATE', 'PUT'],
      ['OPEN', 'GET'],
      ['APPEND', 'POST'],
    ] as const) {
      const response = await fetch(`${base}/sum?op=${op}&${me}&excludedatanodes=${excluded}`, { method, ...manual })
      expect(new URL(response.headers.get('location')!).host).toBe(left)
    }
  }
})

test('attributes: owner, times, mode, copies, ACLs, extended attributes, quotas, policies, truncating, concatenating', async () => {
  await create('/attributes/f', pattern(3_000), '&blocksize=1024')
  const at = `/attributes/f`
  const put = (query: string, method = 'PUT') => json1(`${at}?${query}&${me}`, method)
  expect(await put('op=SETPERMISSION&permission=600')).toBe('')
  expect(await put('op=SETTIMES&modificationtime=1000&accesstime=2000')).toBe('')
  expect(await put('op=SETOWNER&owner=ann&group=staff')).toBe('')
  expect(await put('op=SETREPLICATION&replication=1')).toEqual({ boolean: true })
  expect((await json(`${at}?op=GETFILESTATUS&${me}`)).body).toMatchObject({
    FileStatus: { permission: '600', modificationTime: 1000, accessTime: 2000, owner: 'ann', group: 'staff', replication: 1 },
  })
  expect(await put('op=MODIFYACLENTRIES&aclspec=user:bob:rw-')).toBe('')
  expect((await json(`${at}?op=GETACLSTATUS&${me}`)).body).toMatchObject({
    AclStatus: { entries: ['user:bob:rw-', 'group::---'], stickyBit: false },
  })
  expect(await put('op=SETXATTR&xattr.name=user.a&xattr.value=0x6162&flag=CREATE')).toBe('')
  expect((await json(`${at}?op=GETXATTRS&${me}&encoding=text&xattr.name=user.a`)).body).toEqual({
    XAttrs: [{ name: 'user.a', value: '"ab"' }],
  })
  expect((await json(`${at}?op=LISTXATTRS&${me}`)).body).toEqual({ XAttrNames: '["user.a"]' })
  expect(await put('op=SETSTORAGEPOLICY&storagepolicy=COLD')).toBe('')
  expect((await json(`${at}?op=GETSTORAGEPOLICY&${me}`)).body).toMatchObject({
    BlockStoragePolicy: { name: 'COLD', storageTypes: ['ARCHIVE'] },
  })
  expect(await json1(`/attributes?op=SETQUOTA&${me}&namespacequota=10`, 'PUT')).toBe('')
  expect((await json(`/attributes?op=GETQUOTAUSAGE&${me}`)).body).toMatchObject({
    QuotaUsage: { quota: 10, fileAndDirectoryCount: 2, spaceQuota: -1 },
  })
  expect(await put('op=TRUNCATE&newlength=1500', 'POST')).toEqual({ boolean: true })
  expect(await read(at)).toEqual(pattern(3_000).subarray(0, 1_500))
  await create('/attributes/g', 'tail', '&blocksize=1024')
  expect(await json1(`/attributes/g?op=CONCAT&${me}&sources=${at}`, 'POST')).toBe('')
  expect((await json(`/attributes?op=DELETE&${me}&recursive=true`, { method: 'DELETE' })).body).toEqual({ boolean: true })
})

/** The answer as an object, or '' where it is empty. */
async function json1(url: string, method: string): Promise<unknown> {
  const response = await fetch(`${base}${url}`, { method })
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return text === '' ? '' : JSON.parse(text)
}

test('requests that are none do not hurt the others', async () => {
  const { port, hostname } = new URL(base)
  for (const bytes of [
    '\0\x01\x02\r\n\r\n',
    'GET /webhdfs/v1/%ff?op=OPEN HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET /webhdfs/v1/?${'a=b&'.repeat(5_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  ]) {
    const socket = net.connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.write(bytes)
    const answer = await new Promise<string>((resolve) => {
      socket.once('data', (data) => resolve(String(data)))
      socket.once('close', () => resolve(''))
    })
    expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d|$)/)
    socket.destroy()
  }
  expect((await json(`/?op=GETFILESTATUS&${me}`)).status).toBe(200)
})
