#!/usr/bin/env bash
# Clients that are no Java programs: Go (hdfs-cli, rclone) and GDAL from Debian, Python and Spark in a virtual environment, Node's in a
# folder of their own. Spark needs a Java runtime.
set -euo pipefail
cache=${INTEROP_CACHE:?}

unavailable() {
  echo "cannot be had here: $1"
  exit 75
}

programs=(hdfs:hdfs-cli rclone:rclone gdalinfo:gdal-bin curl:curl java:openjdk-17-jre-headless)
missing=()
for pair in "${programs[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if ((${#missing[@]} > 0)); then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || unavailable "Debian's packages"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || unavailable "${missing[*]}"
fi

# requirements NAME FILE-CONTENT: a stamp of what was installed; a change installs anew.
python=$cache/python
wanted="hdfs==2.7.3 hdfs-native==0.14.7 fsspec==2026.9.0 requests==2.32.5 snakebite-py3==3.0.6 pyhdfs==0.4.0 smart_open==9.0.2 pyspark==3.5.7 pandas==2.3.3 setuptools==80.9.0"
if [[ $(cat "$python/installed" 2>/dev/null) != "$wanted" ]]; then
  rm -rf "$python"
  python3 -m venv "$python" || unavailable "python3-venv"
  # shellcheck disable=SC2086
  "$python/bin/pip" install --quiet --disable-pip-version-check $wanted || unavailable "PyPI's packages"
  echo "$wanted" >"$python/installed"
fi

node=$cache/node
wanted="opendal@0.47.11 webhdfs@1.2.0 node-webhdfs@1.0.2"
if [[ $(cat "$node/installed" 2>/dev/null) != "$wanted" ]]; then
  rm -rf "$node"
  mkdir -p "$node"
  echo '{ "private": true }' >"$node/package.json"
  # shellcheck disable=SC2086
  npm install --prefix "$node" --no-progress --no-audit --no-fund --silent $wanted || unavailable "npm's packages"
  echo "$wanted" >"$node/installed"
fi
