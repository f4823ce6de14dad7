// JSON laid out as Hadoop's servers lay it out: `"name" : value`, one member a line. Programs parse it anyway; scripts of operators
// look for such lines with grep.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** Members that are undefined are left out, and numbers that JSON does not know are written as 0. */
export function javaJson(value: Json, indent = ''): string {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '0'
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isList(value)) return value.length === 0 ? '[ ]' : `[ ${value.map((item) => javaJson(item, indent)).join(', ')} ]`
  const inner = `${indent}  `
  const members: string[] = []
  for (const [key, member] of Object.entries(value))
    if (member !== undefined) members.push(`${inner}${JSON.stringify(key)} : ${javaJson(member, inner)}`)
  return members.length === 0 ? '{ }' : `{\n${members.join(',\n')}\n${indent}}`
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
