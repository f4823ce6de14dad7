// docker-compose.yml and Dockerfile as far as they can be checked without a container engine: against the schema of the compose
// specification, against our own table of options, and against the commands that the CLI knows.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { DCLinter } from 'dclint'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { register as registerDatanode } from '../cli/commands/datanode.ts'
import { register as registerNamenode } from '../cli/commands/namenode.ts'
import { loadSettings } from '../common/config.ts'
import { optionNames, envNameOf, type OptionRole } from '../common/options.ts'

interface Service {
  image: string
  command?: string[]
  environment: Record<string, string>
  ports?: string[]
  volumes?: string[]
  healthcheck?: { test: string[] }
  depends_on?: Record<string, { condition: string }>
  networks: string[]
  stop_grace_period?: string
}

const root = fileURLToPath(new URL('..', import.meta.url))
const composeFile = path.join(root, 'docker-compose.yml')
const compose = parse(readFileSync(composeFile, 'utf8'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, null>
  networks: Record<string, null>
}
const services = Object.entries(compose.services)
const roles = services.filter(([, service]) => service.command !== undefined)

/** What the container runs with: the image sets QUARRY_DIR. */
function settingsOf(name: string, service: Service) {
  const role = service.command?.[0] as OptionRole
  return { name, role, settings: loadSettings({ role, env: { QUARRY_DIR: '/data', ...service.environment } }) }
}

it('docker-compose.yml satisfies the schema of the compose specification', () => {
  // Rules of taste are off; what is left are the schema and mistakes such as ports published twice.
  const rules = {
    'no-build-and-image': 0,
    'require-quotes-in-ports': 0,
    'service-image-require-explicit-tag': 0,
    'service-keys-order': 0,
    'top-level-properties-order': 0,
  }
  const results = new DCLinter({ rules, quiet: false, debug: false, exclude: [] }).lintFiles([composeFile], false) as {
    messages: unknown[]
  }[]
  expect(results.flatMap((result) => result.messages)).toEqual([])
})

it('it has one namenode and three datanodes, each with a volume, a health check and a place to drain', () => {
  expect(roles.map(([name]) => name).toSorted()).toEqual(['datanode-1', 'datanode-2', 'datanode-3', 'namenode'])
  for (const [name, service] of roles) {
    expect(service.volumes, name).toEqual([`${name}:/data`])
    expect(Object.keys(compose.volumes), name).toContain(name)
    const { settings } = settingsOf(name, service)
    expect(service.healthcheck?.test.join(' '), name).toContain(`http://127.0.0.1:${settings['http.port']}/health`)
    expect(Number.parseInt(service.stop_grace_period ?? '0', 10) * 1000, name).toBeGreaterThan(settings['drain.timeout'])
  }
})

it('every variable in it is an option with a value that passes its check', () => {
  const known = new Set([...optionNames.map(envNameOf), 'QUARRY_FS'])
  for (const [name, service] of services) {
    for (const variable of Object.keys(service.environment)) expect(known.has(variable), `${name}: ${variable}`).toBe(true)
  }
  for (const [name, service] of roles) {
    const { settings, role } = settingsOf(name, service)
    expect(settings['advertise'], name).toBe(name)
    if (role === 'datanode') expect(settings['namenode'], name).toBe(compose.services['client']?.environment['QUARRY_FS'])
  }
})

it('every command in it is one that the CLI takes', async () => {
  for (const [name, service] of roles) {
    const program = new Command().exitOverride()
    const ran: string[] = []
    registerNamenode(program)
    registerDatanode(program)
    for (const command of program.commands) command.action(() => void ran.push(command.name()))
    await program.parseAsync(service.command as string[], { from: 'user' })
    expect(ran, name).toEqual(service.command)
  }
})

it('nothing is published beyond loopback, and what listens beyond it says that this is insecure', () => {
  for (const [name, service] of services) {
    for (const port of service.ports ?? []) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    expect(service.networks, name).toEqual(['cluster'])
  }
  for (const [name, service] of roles)
    expect(() => settingsOf(name, { ...service, environment: { ...service.environment, QUARRY_INSECURE: 'false' } })).toThrow(
      'refusing to listen on 0.0.0.0',
    )
})

it('the image starts the binary of the package as an ordinary user', () => {
  const dockerfile = readFileSync(path.join(root, 'Dockerfile'), 'utf8')
  const { bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { bin: { quarry: string } }
  expect(dockerfile).toContain(`/quarry/${path.normalize(bin.quarry)} /usr/local/bin/quarry`)
  expect(dockerfile).toContain('ENTRYPOINT ["quarry"]')
  expect(dockerfile).toMatch(/^USER node$/m)
})

it('docker compose accepts the file, where its client is installed', () => {
  const client = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8' })
  if (client.status !== 0) return
  const config = spawnSync('docker', ['compose', '--file', composeFile, '--profile', 'client', 'config', '--format', 'json'], {
    encoding: 'utf8',
  })
  expect(config.stderr).toBe('')
  expect(config.status).toBe(0)
  expect(Object.keys((JSON.parse(config.stdout) as { services: object }).services).toSorted()).toEqual(
    services.map(([name]) => name).toSorted(),
  )
})
