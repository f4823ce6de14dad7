// Names of this machine's users and groups, for `get -p` and `put -p`.
import { readFile } from 'node:fs/promises'

/** Lines of /etc/passwd and /etc/group: name:password:id:… */
async function entries(file: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length > 2)
}

/** Undefined when this machine knows one of them not. */
export async function lookUpIds(owner: string, group: string): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  const uid = (await entries('/etc/passwd')).find(([name, , id]) => name === owner || id === owner)?.[2]
  const gid = (await entries('/etc/group')).find(([name, , id]) => name === group || id === group)?.[2]
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

/** The name behind a numeric id, or the id itself. */
export async function nameOfId(kind: 'user' | 'group', id: string): Promise<string> {
  const found = (await entries(kind === 'user' ? '/etc/passwd' : '/etc/group')).find((fields) => fields[2] === id)
  return found?.[0] ?? id
}
