#!/usr/bin/env bash
# Installs what the tests need beside Python packages: a browser for the pages, a database for the queue, a proxy, a compiler that checks types. Where that is not possible
# (no root, no apt), the tests that need it are skipped and say so.
set -euo pipefail
if ! command -v tsc >/dev/null && command -v npm >/dev/null; then  # for the types of the studio's page
  npm install --silent --global --ignore-scripts typescript@5.9.3 >/dev/null 2>&1 || echo "not installed: typescript"
fi
wanted=()
command -v chromium >/dev/null || wanted+=(chromium)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted+=(postgresql)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || wanted+=(nginx)
[ ${#wanted[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed: ${wanted[*]} (needs root and apt); the tests that need it are skipped"
  exit 0
fi
echo "installing ${wanted[*]} …"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update || true
apt-get -qq install --yes --no-install-recommends "${wanted[@]}" >/dev/null || echo "not installed: ${wanted[*]}"
