#!/usr/bin/env bash
# Gets and runs the Prometheus that `npm run test:services` loads the dashboard's queries with.
#
#   prometheus.sh install                  installs it where a package manager can, then prints its path
#   prometheus.sh run DIR PORT TARGET      in the foreground: data in DIR, listens on 127.0.0.1:PORT, scrapes TARGET each second
set -euo pipefail

say() { echo "prometheus.sh: $*" >&2; }

install() {
  if ! command -v prometheus >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus; } >&2
    else
      say "prometheus is missing. Install your system's package, or put the release (https://prometheus.io/download) on PATH."
      exit 1
    fi
  fi
  command -v prometheus
}

run() {
  mkdir -p "$1"
  cat >"$1/prometheus.yml" <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: millrace
    static_configs: [{targets: ["$3"]}]
YAML
  exec prometheus --config.file="$1/prometheus.yml" --storage.tsdb.path="$1/data" --web.listen-address="127.0.0.1:$2"
}

case ${1:-} in
  install) install ;;
  run) shift && run "$@" ;;
  *)
    sed -n 4,5p "$0" >&2
    exit 2
    ;;
esac
