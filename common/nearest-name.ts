// What somebody meant who mistyped a name.

/** The known name closest to a mistyped one; a Hadoop name such as dfs.blocksize finds ours. */
export function nearestName(wrong: string, known: readonly string[]): string | undefined {
  const bare = (name: string) =>
    name
      .toLowerCase()
      .replace(/^(dfs|fs)\.(namenode\.|datanode\.)?/, '')
      .replaceAll(/[^a-z0-9]/g, '')
  const target = bare(wrong)
  let best: { name: string; distance: number } | undefined
  for (const name of known) {
    const distance = editDistance(target, bare(name))
    if (best === undefined || distance < best.distance) best = { name, distance }
  }
  // Further away than half of its letters is a guess that would mislead.
  return best !== undefined && best.distance <= Math.max(2, target.length / 2) ? best.name : undefined
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] as number) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[column] as number) + 1, (current[column - 1] as number) + 1))
    }
    previous = current
  }
  return previous[b.length] as number
}
