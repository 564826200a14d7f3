#!/bin/sh
# Run the tests of the package on every other CPython from 3.11 to 3.14 that is to be found: on the PATH, or pyenv's.
# make test has run them all on one already; the corpus and the end-to-end tests are left to that one.
set -eu
done_with=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

find_python() {
  for candidate in "$(command -v "python$1" || true)" "$HOME"/.pyenv/versions/"$1".*/bin/python; do
    [ -n "$candidate" ] && "$candidate" -c "import sys; sys.exit(sys.version_info[:2] != (3, ${1#3.}))" 2>/dev/null &&
      { echo "$candidate"; return; }
  done
}

for version in 3.11 3.12 3.13 3.14; do
  [ "$version" = "$done_with" ] && continue
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    echo "SKIPPED: no Python $version on the PATH: the tests did not run on it" >&2
    continue
  fi
  venv=.cache/python$version
  [ -x "$venv/bin/pytest" ] || "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --editable '.[dev]'
  echo "== Python $version"
  "$venv/bin/python" -m pytest -q --ignore tests/e2e --ignore tests/corpus --ignore tests/judge/test_corpus.py
done
