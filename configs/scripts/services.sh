#!/usr/bin/env bash
# Gets the programs that `npm run test:services` tests against, all built by Go: the OpenTelemetry Collector, telemetrygen and
# h2spec, the conformance test of HTTP/2.
#
#   services.sh install    builds what is missing, then prints the path of each program as NAME=PATH
#
# Builds are kept below $MILLRACE_SERVICES (default ~/.cache/millrace-services), each in a folder named after its version and,
# for the Collector, after the content of collector-build.yaml, so that another list of components is another build.
set -euo pipefail

collector_version=0.158.0
telemetrygen_version=0.161.0
# The newest one that the Go module proxy has.
h2spec_version=2.2.1

here=$(cd "$(dirname "$0")" && pwd)
home=${MILLRACE_SERVICES:-$HOME/.cache/millrace-services}
components=$here/collector-build.yaml
collector_dir=$home/collector-$collector_version-$(cksum <"$components" | cut -d " " -f 1)
telemetrygen_dir=$home/telemetrygen-$telemetrygen_version
h2spec_dir=$home/h2spec-$h2spec_version

say() { echo "services.sh: $*" >&2; }

need_go() {
  command -v go >/dev/null && return
  say "go is missing. The programs are built from source: install Go 1.25 or later (https://go.dev/dl) and put it on PATH."
  exit 1
}

# Runs the rest of the arguments with a new folder as the last one and moves the folder to $1 once they have succeeded,
# so that an interrupted build never looks like a finished one.
build_into() {
  local target=$1
  shift
  # Not local: the trap runs after this function when the build fails.
  building=$home/building.$$
  rm -rf "$building"
  mkdir -p "$building"
  trap 'rm -rf "$building"' EXIT
  "$@" "$building"
  mv "$building" "$target"
  trap - EXIT
}

build_collector() {
  GOFLAGS='' GOBIN=$1 go install "go.opentelemetry.io/collector/cmd/builder@v$collector_version"
  cp "$components" "$1/build.yaml"
  # Contrib's newest module of a release sometimes asks for newer core modules than the release itself.
  (cd "$1" && GOFLAGS='' ./builder --config build.yaml --skip-strict-versioning)
  mv "$1/collector/otelcol" "$1/otelcol"
  rm -rf "$1/collector" "$1/builder"
}

build_telemetrygen() {
  GOFLAGS='' GOBIN=$1 go install \
    "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v$telemetrygen_version"
}

build_h2spec() {
  GOFLAGS='' GOBIN=$1 go install "github.com/summerwind/h2spec/cmd/h2spec@v$h2spec_version+incompatible"
}

install() {
  mkdir -p "$home"
  # Test files run side by side and each of them installs: the first one builds, the others wait for it.
  if command -v flock >/dev/null; then
    exec 9>"$home/lock"
    flock 9
  fi
  if [ ! -x "$telemetrygen_dir/telemetrygen" ]; then
    need_go
    say "building telemetrygen $telemetrygen_version (about a minute)"
    build_into "$telemetrygen_dir" build_telemetrygen >&2
  fi
  if [ ! -x "$h2spec_dir/h2spec" ]; then
    need_go
    say "building h2spec $h2spec_version"
    build_into "$h2spec_dir" build_h2spec >&2
  fi
  if [ ! -x "$collector_dir/otelcol" ]; then
    need_go
    say "building the Collector $collector_version (a few minutes)"
    build_into "$collector_dir" build_collector >&2
  fi
  echo "otelcol=$collector_dir/otelcol"
  echo "telemetrygen=$telemetrygen_dir/telemetrygen"
  echo "h2spec=$h2spec_dir/h2spec"
}

case ${1:-} in
  install) install ;;
  *)
    sed -n 5p "$0" >&2
    exit 2
    ;;
esac
