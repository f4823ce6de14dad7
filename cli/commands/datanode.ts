import type { Command } from 'commander'
import type { RoleArguments } from '../cluster/role.ts'
import { collect } from '../cluster/arguments.ts'

export function register(program: Command): void {
  program
    .command('datanode')
    .description('run a datanode: a process that keeps blocks')
    .option('--config <file>', 'settings, one "name = value" a line (docs/settings.md); QUARRY_NAME variables and -D come before it')
    .option('-D, --define <option=value>', 'set an option; may be repeated', collect)
    .option('--insecure', 'allow listening beyond loopback although nothing authenticates callers')
    .action(async (_own, command: Command) => {
      const options = command.optsWithGlobals<RoleArguments>()
      const { runRole } = await import('../cluster/role.ts')
      await runRole('datanode', options)
    })
}
