// A role as a process of its own: reads its settings, logs, starts the namenode or the datanode, says when it is ready, and stops in
// order.
//
// SIGTERM or SIGINT: no new work, open work finishes within drain.timeout, then everything closes and the process ends with 0. A second
// signal ends it at once. A role that `quarry up` started also stops when that process is gone, so that a crash leaves no orphans.
import { mkdirSync } from 'node:fs'
import { loadSettings, parseDefinitions } from '../../common/config.ts'
import type { Logger } from '../../common/env.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Settings } from '../../common/options.ts'
import { systemEnv } from '../../common/system-env.ts'
import { openLog } from './role-log.ts'
import type { FromRole, RoleName, RoleReady, ToRole } from './role-messages.ts'

export interface RoleArguments {
  readonly config?: string | undefined
  readonly define?: readonly string[] | undefined
  readonly insecure?: boolean | undefined
}

interface Running {
  readonly ready: RoleReady
  drain(): Promise<void>
  close(): Promise<void>
}

/** After drain.timeout: what closing files and sockets may take. */
const closeGraceMs = 3_000
/** As sysexits.h: an internal software error. */
const crashedExitCode = 70
const refusedExitCode = 1

/** Runs until it is told to stop; resolves when the role is up. Rejects with a QuarryError when it cannot start. */
export async function runRole(role: RoleName, args: RoleArguments): Promise<void> {
  process.title = `quarry ${role}`
  try {
    await start(role, args)
  } catch (error) {
    const failure = startFailure(role, error)
    if (process.send === undefined) throw failure
    tell({ kind: 'failed', code: failure.code, message: failure.message })
    process.exitCode = 1
    process.disconnect()
  }
}

async function start(role: RoleName, args: RoleArguments): Promise<void> {
  const flags = { ...parseDefinitions(args.define ?? []), ...(args.insecure && { insecure: 'true' }) }
  const settings = loadSettings({ file: args.config, env: process.env, flags, role })
  const log = await openLog(settings)
  process.on('uncaughtException', (error) => {
    log.error('process.crashed', { error })
    process.exit(crashedExitCode)
  })
  const orders = listen()
  mkdirSync(settings['dir'], { recursive: true })
  const running = role === 'namenode' ? await startNamenodeRole(settings, log) : await startDatanodeRole(settings, log, orders.go)
  log.info('role.ready')
  tell(running.ready)
  void orders.stop.then((reason) => stop(running, settings, log, reason))
}

async function startNamenodeRole(settings: Settings, log: Logger): Promise<Running> {
  const [{ startNamenode }, { namenodeGateway }, { fsckPage }] = await Promise.all([
    import('../../namenode/main.ts'),
    import('../../gateway/index.ts'),
    import('./fsck-page.ts'),
  ])
  const namenode = await startNamenode({
    settings,
    env: systemEnv(log.child({ role: 'namenode' })),
    gateway: (uri, own) => ({ ...namenodeGateway(uri, own), page: fsckPage(uri) }),
    onFailure: (error) => {
      // It can only answer errors from here on. What it acknowledged is on disk: whoever watches this process starts it again.
      log.error('namenode.failed', { error })
      process.exit(crashedExitCode)
    },
  })
  const { uri, grpc, http, clusterId, poolId } = namenode
  return {
    ready: { kind: 'ready', role: 'namenode', pid: process.pid, grpc, http, uri, clusterId, poolId },
    drain: () => namenode.drain(),
    close: () => namenode.close(),
  }
}

async function startDatanodeRole(settings: Settings, log: Logger, go: Promise<void>): Promise<Running> {
  const env = systemEnv(log)
  const [{ startDatanode }, { datanodeGateway }, compute] = await Promise.all([
    import('../../datanode/main.ts'),
    import('../../gateway/index.ts'),
    settings['compute'] ? import('../../compute/index.ts') : undefined,
  ])
  // The code is loaded while the namenode starts; asking before it answers would only wait for the next attempt.
  await go
  const datanode = await startDatanode({
    settings,
    env,
    web: [datanodeGateway(settings, env)],
    ...(compute && { services: compute.computeServices(settings, env) }),
    onRefused: (error) => refused(error, log),
  })
  const { uuid, grpc, http, dirs } = datanode
  return {
    ready: { kind: 'ready', role: 'datanode', pid: process.pid, grpc, http, uuid, dirs },
    drain: () => datanode.drain(),
    close: () => datanode.close(),
  }
}

/** What this role is cannot be: the same start would be refused again, and whoever started it hears so. */
function refused(error: QuarryError, log: Logger): void {
  log.error('role.refused', { error })
  tell({ kind: 'failed', code: error.code, message: error.message })
  process.exitCode = refusedExitCode
  // The message leaves before the process does.
  setTimeout(() => process.exit(refusedExitCode), 50)
}

async function stop(running: Running, settings: Settings, log: Logger, reason: string): Promise<void> {
  const withinMs = settings['drain.timeout'] + closeGraceMs
  const bound = setTimeout(() => {
    log.warn('role.stop.overdue', { withinMs })
    process.exit(1)
  }, withinMs)
  try {
    log.info('role.draining', { reason, withinMs: settings['drain.timeout'] })
    await running.drain()
    await running.close()
    log.info('role.stopped')
    process.exit(0)
  } catch (error) {
    log.error('role.stop.failed', { error })
    process.exit(1)
  } finally {
    clearTimeout(bound)
  }
}

interface Orders {
  /** The namenode answers; at once where nobody else started this role. */
  readonly go: Promise<void>
  /** The first reason to stop; a second signal ends the process at once. */
  readonly stop: Promise<string>
}

function listen(): Orders {
  const supervised = process.send !== undefined
  let asked = false
  let stay = false
  let onGo = () => {}
  const go = new Promise<void>((resolve) => (onGo = resolve))
  if (!supervised) onGo()
  const stop = new Promise<string>((resolve) => {
    const request = (reason: string) => {
      if (asked && reason.startsWith('SIG')) process.exit(1)
      asked = true
      resolve(reason)
    }
    process.on('SIGTERM', request)
    process.on('SIGINT', request)
    if (!supervised) return
    process.on('message', (message: ToRole) => {
      if (message.kind === 'go') onGo()
      else stay = true
    })
    process.on('disconnect', () => {
      onGo()
      if (!stay) request('the process that started this role is gone')
    })
  })
  return { go, stop }
}

function tell(message: FromRole): void {
  if (process.send !== undefined) process.send(message)
  else if (message.kind === 'ready') process.stdout.write(`${JSON.stringify(message)}\n`)
}

function startFailure(role: RoleName, error: unknown): QuarryError {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new QuarryError('IN_USE', `the ${role} cannot start: ${message}; choose another port`, {}, { cause: error })
  return toQuarryError(error)
}
