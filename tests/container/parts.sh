#!/bin/sh
# Get what the container tests need: Docker, and a base to stand in for python:3.13-slim where no image can be pulled.
# Set BASE to an image that your Docker has or can pull, and the tests use both instead.
set -eu
[ -z "${BASE:-}" ] || exit 0

if ! command -v dockerd >/dev/null || ! command -v mmdebstrap >/dev/null || ! command -v docker-compose >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      docker.io docker-compose mmdebstrap prometheus prometheus-alertmanager debian-archive-keyring ca-certificates >/dev/null
  else
    echo 'container: no Docker here, its tests will be skipped: run as root on Debian, or set BASE=python:3.13-slim' >&2
    exit 0
  fi
fi

folder=.cache/container
if [ ! -f "$folder/base.tar" ]; then
  mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null)
  [ -n "$mirror" ] || mirror=$(awk '/^deb /{print $2; exit}' /etc/apt/sources.list 2>/dev/null)
  rm -rf "$folder"
  mkdir -p "$folder"
  # pip inside trusts whom this machine trusts.
  mmdebstrap --quiet --variant=apt --include=ca-certificates,python3,python3-venv,python3-pip \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --dpkgopt='path-exclude=/usr/share/doc/*' \
    --customize-hook='rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' \
    --customize-hook='cp -L /etc/ssl/certs/ca-certificates.crt "$1"/etc/ssl/certs/ca-certificates.crt' \
    trixie "$folder/part.tar" "$mirror"
  mv "$folder/part.tar" "$folder/base.tar"
fi
