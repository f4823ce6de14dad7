// Load tests, run by hand. Figures go into bench/RESULTS.md.
//
//   npm run load -- overload [--seconds 10]              ten times the load that can be served
//   npm run load -- clients [--seconds 180]              200 clients that write, read, list and delete: memory over time
//   npm run load -- directory [--entries 100000]         one large directory
//   npm run load -- blocks [--blocks 512]                the block metadata of a file of blocks of 128 MiB, without a byte of data
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { blocks } from './blocks.ts'
import { clients } from './clients.ts'
import { directory } from './directory.ts'
import { overload } from './overload.ts'

const usage = `npm run load -- overload [--seconds 10]                ten times the load that can be served
npm run load -- clients [--seconds 180] [--count 200]  clients that write, read, list and delete: memory over time
npm run load -- directory [--entries 100000]           one large directory
npm run load -- blocks [--blocks 512]                  the block metadata of a large file, without a byte of data
--dir DIR: where clusters keep their files (default: the temporary directory)`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    entries: { type: 'string', default: '100000' },
    blocks: { type: 'string', default: '512' },
    count: { type: 'string', default: '200' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const base = values.dir

switch (values.help ? 'help' : positionals[0]) {
  case 'help':
    console.log(usage)
    break
  case 'overload':
    await overload({ base, seconds: Number(values.seconds ?? 10) })
    break
  case 'clients':
    await clients({ base, seconds: Number(values.seconds ?? 180), count: Number(values.count) })
    break
  case 'directory':
    await directory({ base, entries: Number(values.entries) })
    break
  case 'blocks':
    await blocks({ count: Number(values.blocks) })
    break
  default:
    console.error(`Say which load.\n${usage}`)
    process.exitCode = 2
}
