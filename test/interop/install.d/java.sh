#!/usr/bin/env bash
# Hadoop's artifacts and the programs of java/ that drive them, by Maven, which keeps what it fetched for the next time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${INTEROP_CACHE:?}/java

unavailable() {
  echo "cannot be had here: $1"
  exit 75
}

missing=()
command -v javac >/dev/null || missing+=(openjdk-17-jdk-headless)
command -v mvn >/dev/null || missing+=(maven)
if ((${#missing[@]} > 0)); then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || unavailable "Debian's packages"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || unavailable "${missing[*]}"
fi

# The sources and every jar of the class path as they were: then there is nothing to do.
wanted=$(find "$here/java" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
whole() {
  [[ $(cat "$target/installed" 2>/dev/null) == "$wanted" ]] && tr ':' '\n' <"$target/classpath" | xargs -d '\n' ls >/dev/null 2>&1
}
if whole; then exit 0; fi

rm -rf "$target"
build() { mvn "$@" -q -B -Dstyle.color=never -f "$here/java/pom.xml" -Dinterop.target="$target" compile; }
if ! build -o >/dev/null 2>&1 && ! build; then
  # Without a registry Maven finds no artifacts; with one, what fails are our own programs.
  mvn -q -B -f "$here/java/pom.xml" dependency:resolve >/dev/null 2>&1 || unavailable "Maven's artifacts"
  exit 1
fi
echo "$wanted" >"$target/installed"
