// Where Quarry's shell answers the corpus otherwise than Hadoop 3.4.3, and why. A line that has come to agree must leave this list.

const oddNames = 'Hadoop reads local names as URIs: a space, %20 or a colon breaks them. Every name works here.'
const ownUsage = "The usage lists what Quarry has; the rest of Hadoop's options are refused by name."
const superuserWords = 'The namenode does not name the operation.'
const globWords = "The message of a malformed pattern says what is wrong in other words than Java's regular expressions."

export const acceptedDifferences: Readonly<Record<string, string>> = {
  'alice> -put "sp ace.txt" x/spaced': oddNames,
  'alice> -cat x/spaced': oddNames,
  'alice> -rm -f -skipTrash x/spaced': oddNames,
  'alice> -put "percent%20.txt" /open/escaped': oddNames,
  'alice> -rm -f -skipTrash /open/escaped': oddNames,
  'alice> -put one.txt /open/a:b': oddNames,
  'alice> -rm -f -skipTrash /open/a:b': oddNames,
  'alice> -put one.txt a:b': oddNames,
  'alice> -rm -f -skipTrash a:b': oddNames,
  'alice> -put dir d2': 'Hadoop reads a local directory in the order of the disk, Quarry by name.',
  'alice> -ls "d1/{"': globWords,
  'alice> -ls "d1/[a"': globWords,
  'alice> admin -setQuota 5 /quota': superuserWords,
  'alice> admin -safemode enter': superuserWords,
  'super> admin -frob': ownUsage,
  'super> admin report': 'Hadoop cuts the first letter off, whatever it is.',
  'super> admin -help frob': ownUsage,
  'super> admin': ownUsage,
  'super> fsck': ownUsage,
  'super> fsck -frob /': ownUsage,
  'super> fsck /open/per%cent /open': ownUsage,
  'alice> -D dfs.replication=x -put one.txt d3/bad': 'The message names the key.',
  'alice> -D dfs.replication=600 -put one.txt d3/bad': 'The message does not name the client.',
}
