#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the system packages that building needs, on Debian 12 or a relative of it. Does nothing
# where all are there. `packages.sh check` adds the tools that only the project's checks use.
# The versions are those of the Debian release; cmake/dependencies.cmake names the oldest that work.
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config git ca-certificates ccache python3
  libeigen3-dev xtl-dev libfmt-dev nlohmann-json3-dev libcli11-dev libpcre2-dev libutf8proc-dev
  libstb-dev libjpeg62-turbo-dev libgtest-dev libgmock-dev libbenchmark-dev)
if [ "${1:-}" = check ]; then
  packages+=(clang-19 clang-format-19 clang-tidy-19 python3-venv)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "packages.sh: this system has no apt-get; install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "packages.sh: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
