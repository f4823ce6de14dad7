// Arguments of the debug commands that HDFS has too: `-name value`, in any order; what else stands there is ignored, as HDFS does.

export function valueOf(words: readonly string[], flag: string): string | undefined {
  const at = words.findIndex((word) => word === flag || word === `-${flag}`)
  return at < 0 ? undefined : words[at + 1]
}
