#!/bin/sh
# `docker run IMAGE audit …` and `docker run IMAGE lowtide audit …` are the same; any other program runs as it is.
# exec, so that signals reach the program itself.
set -eu
if [ $# -gt 0 ] && command -v -- "$1" >/dev/null 2>&1; then
  exec "$@"
fi
exec lowtide "$@"
