#!/usr/bin/env bash
# Checks for what the project needs; installs Debian packages when root, else says what is missing.
set -euo pipefail
missing=()
for tool in cargo go python3 java mvn gcc g++ git; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "missing: ${missing[*]} (Rust by rustup, Go 1.24+, Python 3.11+, JDK 17+ with Maven, gcc and g++)" >&2
  exit 1
fi
packages=()
command -v valgrind >/dev/null || packages+=(valgrind)
command -v npm >/dev/null || packages+=(nodejs npm)
command -v pkg-config >/dev/null || packages+=(pkg-config)
command -v objcopy >/dev/null || packages+=(binutils)
command -v openssl >/dev/null || packages+=(openssl)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || packages+=(postgresql)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
if [ ${#packages[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
  else
    echo "missing: ${packages[*]} (install these packages)" >&2
    exit 1
  fi
fi
