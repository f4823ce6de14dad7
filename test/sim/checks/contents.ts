// At the end everything is read once more, by a client that knows nothing, and compared with what was promised.
import { toQuarryError } from '../../../common/errors.ts'
import type { FileSystem } from '../../../client/filesystem.ts'
import { wrongContent } from '../model/files.ts'
import type { Doubt, Version } from '../model/files.ts'
import type { Simulation } from '../run/simulation.ts'
import { Violation } from '../run/violation.ts'

export async function checkContents(fs: FileSystem, simulation: Simulation): Promise<void> {
  for (const { files } of simulation.owners) {
    for (const { path, version } of files.all()) {
      const wrong = await wrongFile(fs, path, version)
      if (wrong !== undefined) throw new Violation(wrong.startsWith('is not there') ? 'I5' : 'I1', `${path} ${wrong}`)
    }
    for (const doubt of files.doubts) await checkDoubt(fs, doubt)
  }
  if (await fs.exists(simulation.log.path)) simulation.log.check(await fs.readFile(simulation.log.path))
}

/** What is wrong with a path that should hold the version. */
async function wrongFile(fs: FileSystem, path: string, version: Version): Promise<string | undefined> {
  if (!(await fs.exists(path))) return 'is not there'
  try {
    const wrong = wrongContent(await fs.readFile(path), version, version.closed ? version.sent : version.acked)
    return wrong && `reads as ${wrong}`
  } catch (error) {
    return `cannot be read: ${toQuarryError(error).message}`
  }
}

async function checkDoubt(fs: FileSystem, { outcomes }: Doubt): Promise<void> {
  const reasons: string[] = []
  for (const outcome of outcomes) {
    let fits = true
    for (const { path, version } of outcome) {
      const wrong = version ? await wrongFile(fs, path, version) : (await fs.exists(path)) ? 'is there' : undefined
      if (wrong === undefined) continue
      fits = false
      reasons.push(`${path} ${wrong}`)
      break
    }
    if (fits) return
  }
  const lost = reasons.some((reason) => reason.includes('reads as') || reason.includes('cannot be read'))
  throw new Violation(lost ? 'I1' : 'I5', `none of ${outcomes.length} possible outcomes holds: ${reasons.join('; ')}`)
}
