#!/usr/bin/env bash
# `hdfs dfs` of an older Hadoop (3.3, out of Spark's package), over hdfs:// and webhdfs://. A virtual machine for each command, so few.
set -euo pipefail
hdfs=$1 webhdfs=webhdfs://${2#http://} root=$3 file=$4
work=$(mktemp -d)
trap '(($? == 0)) || tail -n 20 "$work/err"; rm -rf "$work"' EXIT
jars=$(echo "$INTEROP_CACHE"/python/lib/python3*/site-packages/pyspark/jars)
# Hadoop wants one, and takes the defaults from it.
echo '<configuration/>' >"$work/core-site.xml"
dfs() { java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$work:$jars/*" org.apache.hadoop.fs.FsShell -D fs.defaultFS="$@" 2>>"$work/err"; }
dfs "$hdfs" -mkdir -p "$root/snö ☃"
dfs "$hdfs" -D dfs.blocksize=1048576 -put "$file" "$root/kept"
dfs "$hdfs" -stat '%b %o %r %F' "$root/kept" | grep -x "$(stat -c %s "$file") 1048576 3 regular file" >/dev/null
dfs "$hdfs" -appendToFile "$file" "$root/snö ☃/twice"
dfs "$hdfs" -appendToFile "$file" "$root/snö ☃/twice"
dfs "$webhdfs" -cat "$root/snö ☃/twice" | cmp - <(cat "$file" "$file")
dfs "$webhdfs" -D dfs.blocksize=1048576 -put "$file" "$root/snö ☃/same"
dfs "$webhdfs" -mv "$root/snö ☃/same" "$root/same"
# What was written through one door has the checksum of what was written through the other.
dfs "$hdfs" -checksum "$root/kept" "$root/same" | cut -f 2,3 | sort -u >"$work/sums"
[[ $(grep -c 'MD5-of-2048MD5-of-512CRC32C' "$work/sums") == 1 ]] || { cat "$work/sums"; exit 1; }
dfs "$webhdfs" -rm -r -skipTrash "$root/snö ☃" "$root/same" >/dev/null
[[ $(dfs "$hdfs" -ls -C "$root") == "$root/kept" ]]
