// What the beans of a Java process say that is true of ours, too: memory, processor, age.
import os from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { Bean } from './jmx-page.ts'

const MIB = 2 ** 20
const NS_PER_US = 1000

export interface ProcessFacts {
  /** NameNode or DataNode. */
  readonly process: 'NameNode' | 'DataNode'
  /** Since the epoch. */
  readonly startedMs: number
  nowMs(): number
}

export function processBeans({ process: name, startedMs, nowMs }: ProcessFacts): Bean[] {
  return [
    {
      name: `Hadoop:service=${name},name=JvmMetrics`,
      modelerType: 'JvmMetrics',
      read() {
        const memory = process.memoryUsage()
        const max = getHeapStatistics().heap_size_limit / MIB
        return {
          'tag.Context': 'jvm',
          'tag.ProcessName': name,
          'tag.Hostname': os.hostname(),
          'MemHeapUsedM': memory.heapUsed / MIB,
          'MemHeapCommittedM': memory.heapTotal / MIB,
          'MemHeapMaxM': max,
          'MemMaxM': max,
          // What is held outside the heap: buffers of blocks and messages, pages of the database.
          'MemNonHeapUsedM': Math.max(0, memory.rss - memory.heapTotal) / MIB,
        }
      },
    },
    {
      name: 'java.lang:type=Runtime',
      modelerType: 'node',
      read: () => ({
        Name: `${process.pid}@${os.hostname()}`,
        Pid: process.pid,
        VmName: 'Node.js',
        VmVersion: process.version,
        StartTime: startedMs,
        Uptime: nowMs() - startedMs,
      }),
    },
    {
      name: 'java.lang:type=Memory',
      modelerType: 'node',
      read() {
        const memory = process.memoryUsage()
        const max = getHeapStatistics().heap_size_limit
        return { HeapMemoryUsage: { committed: memory.heapTotal, max, used: memory.heapUsed } }
      },
    },
    {
      name: 'java.lang:type=OperatingSystem',
      modelerType: 'node',
      read() {
        const { user, system } = process.cpuUsage()
        return {
          Name: os.type(),
          Version: os.release(),
          Arch: os.arch(),
          AvailableProcessors: os.availableParallelism(),
          SystemLoadAverage: os.loadavg()[0],
          TotalPhysicalMemorySize: os.totalmem(),
          FreePhysicalMemorySize: os.freemem(),
          ProcessCpuTime: (user + system) * NS_PER_US,
        }
      },
    },
  ]
}
