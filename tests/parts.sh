#!/bin/sh
# Get the real parts that tests run against, where this can be done: Debian's packages, as root.
# Prometheus and Alertmanager of this Debian are installed; newer ones are unpacked beside them, in .cache/prometheus.
set -eu

say() { echo "tests: $*" >&2; }

if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager
  else
    say 'what needs prometheus or promtool will be skipped: put both on the PATH, or run as root on Debian'
  fi
fi

if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
  else
    say 'what needs a browser will be skipped: put chromium on the PATH, or run as root on Debian'
  fi
fi

# Unpack packages of a Debian suite into a folder, whatever is installed here.
# The suite's list of packages may be past its date (its signature is still checked).
unpack() {
  suite=$1
  folder=$2
  shift 2
  mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null)
  [ -n "$mirror" ] || mirror=$(awk '/^deb /{print $2; exit}' /etc/apt/sources.list 2>/dev/null)
  [ -n "$mirror" ] || return 1
  mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/deb"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$folder/sources.list"
  apt() {
    apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=- \
      -o "Dir::State::lists=$folder/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$folder" \
      -o "Dir::Cache::archives=$folder/archives" -o APT::Sandbox::User=root -o Acquire::Languages=none \
      -o Acquire::Check-Valid-Until=false "$@"
  }
  apt update || return 1
  (cd "$folder/deb" && apt download "$@") || return 1
  # promtool is a package of its own in newer suites.
  case $1 in prometheus) (cd "$folder/deb" && apt download promtool 2>/dev/null) || true ;; esac
  for package in "$folder"/deb/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
  rm -rf "$folder/lists" "$folder/archives" "$folder/deb"
}

if [ ! -d .cache/kubernetes/node_modules ]; then
  if command -v npm >/dev/null; then
    npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock --prefix .cache/kubernetes \
      @kubernetes-models/prometheus-operator@6.0.0 || say 'no schemas of Kubernetes operators could be had'
  else
    say 'what needs the schemas of Prometheus'"'"' operator will be skipped: apt-get install npm, and again'
  fi
fi

if [ ! -d .cache/speedscope/node_modules ]; then
  if command -v npm >/dev/null; then
    npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock --prefix .cache/speedscope \
      speedscope@1.25.0 || say 'speedscope could not be had: its test will be skipped'
  else
    say 'what needs speedscope will be skipped: apt-get install npm, and again'
  fi
fi

# flamegraph.pl comes with a package whose setup.py is for Python 2, and misses one function of it.
flamegraph() {
  folder=$PWD/.cache/flamegraph
  mkdir -p "$folder/lent"
  cat >"$folder/lent/sitecustomize.py" <<'END'
import builtins, pathlib, sys
builtins.execfile = lambda name: exec(pathlib.Path(name).read_text(), sys._getframe(1).f_globals)
END
  python3 -m venv "$folder/venv" &&
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'setuptools<70' wheel &&
    PYTHONPATH=$folder/lent "$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps \
      --no-build-isolation --no-binary :all: --dest "$folder" pyflamegraph==0.0.2 &&
    tar -xzf "$folder/pyflamegraph-0.0.2.tar.gz" -C "$folder" --strip-components=3 \
      pyflamegraph-0.0.2/pyflamegraph/flamegraph/flamegraph.pl &&
    rm -rf "$folder/venv" "$folder/lent"
}

if command -v perl >/dev/null && [ ! -f .cache/flamegraph/flamegraph.pl ]; then
  flamegraph || say 'flamegraph.pl could not be had: put it in .cache/flamegraph, or its test will be skipped'
fi

if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
  for suite in trixie forky; do
    [ -x ".cache/prometheus/$suite/root/usr/bin/prometheus" ] ||
      unpack "$suite" "$PWD/.cache/prometheus/$suite" prometheus prometheus-alertmanager ||
      say "no Prometheus of Debian $suite could be had: tests on it will be skipped"
  done
fi

# That of Debian 12 is too old for the patches in our kustomization.
if ! command -v kubectl >/dev/null && [ ! -x .cache/kubectl/root/usr/bin/kubectl ]; then
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && unpack trixie "$PWD/.cache/kubectl" kubectl; then
    :
  else
    say 'what needs kubectl will be skipped: put it on the PATH (kubernetes.io/docs/tasks/tools), or run on Debian'
  fi
fi
