// The usage of the whole shell and of one verb.
import { verbs } from './registry.ts'

/** As Hadoop prints it, because scripts look for it. */
export const usagePrefix = 'Usage: hadoop fs [generic options]'

export const genericUsage = [
  'Generic options supported are:',
  '-conf <configuration file>        specify an application configuration file',
  '-D <property=value>               define a value for a given property',
  "-fs <file:///|hdfs://namenode:port> specify default filesystem URL to use, overrides 'fs.defaultFS' property from configurations.",
  '-jt <local|resourcemanager:port>  specify a ResourceManager',
  '-files <file1,...>                specify a comma-separated list of files to be copied to the map reduce cluster',
  '-libjars <jar1,...>               specify a comma-separated list of jar files to be included in the classpath',
  '-archives <archive1,...>          specify a comma-separated list of archives to be unarchived on the compute machines',
  '',
  'The general command line syntax is:',
  'command [genericOptions] [commandOptions]',
  '',
]
  .map((line) => `${line}\n`)
  .join('')

/** `-ls [-C] … <path>`. */
export function verbUsage(name: string): string {
  const usage = verbs[name]?.usage ?? ''
  return usage === '' ? `-${name}` : `-${name} ${usage}`
}

/** Names in the usage: all but the old spellings. */
export function currentVerbs(): string[] {
  return Object.keys(verbs).filter((name) => verbs[name]?.replacement === undefined)
}

/** Every verb, without the generic options. */
export function allUsages(): string {
  return `${usagePrefix}\n${currentVerbs()
    .map((name) => `\t[${verbUsage(name)}]\n`)
    .join('')}`
}

export function fullUsage(): string {
  return `${allUsages()}\n${genericUsage}`
}
