// Where Quarry's shell answers the corpus otherwise than Hadoop 3.4.3, and why. A line that has come to agree must leave this list.

const oddNames = 'Hadoop reads local names as URIs: a space, %20 or a colon breaks them. Every name works here.'
const ownUsage = "The usage lists what Quarry has; the rest of Hadoop's options are refused by name."
const refusedByName = 'Refused by name, with what to do instead.'
const ownHelp = 'The help says what is different here.'
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
  'super> admin -frob': ownUsage,
  'super> admin report': 'Hadoop cuts the first letter off, whatever it is.',
  'super> admin -help frob': ownUsage,
  'super> admin': ownUsage,
  'super> fsck -files': "Hadoop's generic parser prints its options first.",
  'super> fsck -help': 'Hadoop knows -h and --help only.',
  'super> admin -metasave corpus.txt': 'A second line says where the file is.',
  'super> admin -listOpenFiles -path /missing': 'Hadoop takes a path that is not there for one without open files.',
  'super> admin -setBalancerBandwidth 0': 'Hadoop takes 0 and then no replica moves.',
  'super> admin -getBalancerBandwidth': refusedByName,
  'super> admin -getBalancerBandwidth nowhere': refusedByName,
  'super> admin -getDatanodeInfo': refusedByName,
  'super> admin -triggerBlockReport': refusedByName,
  'super> admin -rollEdits x': refusedByName,
  'super> admin -finalizeUpgrade x': refusedByName,
  'alice> admin -saveNamespace': 'Hadoop prints an empty line after the error.',
  'super> admin -help refreshNodes': ownHelp,
  'super> admin -help saveNamespace': ownHelp,
  'super> admin -help getBalancerBandwidth': ownUsage,
  'super> admin -help getDatanodeInfo': ownUsage,
  'super> admin -help triggerBlockReport': ownUsage,
  'super> admin -help rollEdits': ownUsage,
  'super> admin -help': ownUsage,
  'alice> -D dfs.replication=x -put one.txt d3/bad': 'The message names the key.',
  'alice> -D dfs.replication=600 -put one.txt d3/bad': 'The message does not name the client.',
}
