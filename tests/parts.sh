#!/bin/sh
# Get the real parts that tests run against, where this can be done: Debian's packages, as root.
set -eu
command -v promtool >/dev/null && command -v prometheus >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager
else
  echo 'tests that need prometheus or promtool will be skipped: put both on the PATH, or run as root on Debian' >&2
fi
