#!/usr/bin/env bash
# Gets the programs that `npm run test:services` and the load test run against.
#
#   services.sh install [PROGRAM...]    gets what is missing, all of them by default, then prints each as NAME=PATH
#   services.sh run kafka DIR PORT      one Kafka node in the foreground, on 127.0.0.1: PORT for clients, PORT+1 for itself
#   services.sh run kafka DIR PORT N    node N (1, 2 or 3) of three that are one cluster, each with a DIR of its own and all
#                                       with the same PORT: node N has PORT+2N-2 for clients and PORT+2N-1 for the others
#   services.sh run s3 DIR PORT         an S3 server in the foreground, on 127.0.0.1
#   services.sh run aws DIR PORT        moto in the foreground, on 127.0.0.1; it keeps everything in memory and nothing in DIR
#
#   otelcol       the OpenTelemetry Collector, built by Go from collector-build.yaml
#   telemetrygen  its generator, built by Go
#   h2spec        the conformance test of HTTP/2, built by Go
#   versitygw     an S3 server on a directory, built by Go
#   kafka         a folder with the jars of Apache Kafka, from Maven's repository; needs a Java runtime of 17 or later
#   moto          a server of many services of AWS, S3, SQS, IAM and STS among them, by pip; needs Python 3.10 or later
#   haproxy       from the system's packages
#
# They are kept below $MILLRACE_SERVICES (default ~/.cache/millrace-services), each in a folder named after its version and,
# for the Collector, after the content of collector-build.yaml, so that another list of components is another build.
set -euo pipefail

collector_version=0.158.0
telemetrygen_version=0.161.0
# The newest one that the Go module proxy has.
h2spec_version=2.2.1
versitygw_version=1.8.0
kafka_version=4.1.1
# kafka-clients asks for this generation of slf4j's interface.
slf4j_version=1.7.36
maven_dependency_plugin_version=3.8.1
moto_version=5.2.5
# What moto serves by; it asks for no version of them.
flask_version=3.1.3
flask_cors_version=6.0.5

here=$(cd "$(dirname "$0")" && pwd)
home=${MILLRACE_SERVICES:-$HOME/.cache/millrace-services}
components=$here/collector-build.yaml

say() { echo "services.sh: $*" >&2; }

need_go() {
  command -v go >/dev/null && return
  say "go is missing. Some programs are built from source: install Go 1.25 or later (https://go.dev/dl) and put it on PATH."
  exit 1
}

# need_command COMMAND PACKAGE PURPOSE: from Debian's packages where this may be done, else with a hint.
need_command() {
  type -P "$1" >/dev/null && return
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2"; } >&2
    type -P "$1" >/dev/null && return
  fi
  say "$1 is missing. $3: install your system's package (Debian's is $2) and put $1 on PATH."
  exit 1
}

need_java() {
  need_command java openjdk-17-jre-headless "Apache Kafka runs on Java 17 or later"
  local major
  major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${major:-0}" -ge 17 ] && return
  say "java is version ${major:-unknown}. Apache Kafka runs on Java 17 or later: put one on PATH."
  exit 1
}

need_python() {
  need_command python3 python3 "moto runs on Python 3.10 or later"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    say "python3 is $(python3 --version). moto runs on Python 3.10 or later: put one on PATH."
    exit 1
  }
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

build_by_go() { GOFLAGS='' GOBIN=$2 go install "$1"; }

build_kafka() {
  cat >"$1/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>$slf4j_version</version></dependency>
  </dependencies>
</project>
POM
  (cd "$1" && mvn -q -B "org.apache.maven.plugins:maven-dependency-plugin:$maven_dependency_plugin_version:copy-dependencies" \
    -DincludeScope=runtime -DoutputDirectory=libs)
}

# go_program NAME VERSION MODULE: one that a single `go install` builds.
go_program() {
  local dir=$home/$1-$2
  if [ ! -x "$dir/$1" ]; then
    need_go
    say "building $1 $2 (about a minute)"
    build_into "$dir" build_by_go "$3" >&2
  fi
  echo "$1=$dir/$1"
}

otelcol() {
  local dir
  dir=$home/collector-$collector_version-$(cksum <"$components" | cut -d " " -f 1)
  if [ ! -x "$dir/otelcol" ]; then
    need_go
    say "building the Collector $collector_version (a few minutes)"
    build_into "$dir" build_collector >&2
  fi
  echo "otelcol=$dir/otelcol"
}

telemetrygen() {
  go_program telemetrygen "$telemetrygen_version" \
    "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v$telemetrygen_version"
}

h2spec() { go_program h2spec "$h2spec_version" "github.com/summerwind/h2spec/cmd/h2spec@v$h2spec_version+incompatible"; }

versitygw() { go_program versitygw "$versitygw_version" "github.com/versity/versitygw/cmd/versitygw@v$versitygw_version"; }

kafka() {
  local dir=$home/apache-kafka-$kafka_version
  need_java
  if [ ! -d "$dir/libs" ]; then
    need_command mvn maven "The jars of Apache Kafka come from Maven's repository"
    say "getting Apache Kafka $kafka_version"
    build_into "$dir" build_kafka >&2
  fi
  echo "kafka=$dir"
}

# Not a virtual environment, which is bound to the folder that it was made in.
build_moto() {
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-warn-conflicts --target "$1" \
    "moto[s3,sqs]==$moto_version" "flask==$flask_version" "flask-cors==$flask_cors_version"
}

moto() {
  local dir
  need_python
  # Some of what it needs is compiled for one version of Python.
  dir=$home/moto-$moto_version-$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
  if [ ! -d "$dir/moto" ]; then
    # Debian's python3 comes without it.
    python3 -m pip --version >/dev/null 2>&1 || need_command pip3 python3-pip "moto is installed by pip"
    say "getting moto $moto_version"
    build_into "$dir" build_moto >&2
  fi
  echo "moto=$dir"
}

haproxy() {
  # Debian puts it where only root's PATH looks.
  PATH=$PATH:/usr/sbin
  need_command haproxy haproxy "The tests of the two tiers go through HAProxy"
  echo "haproxy=$(type -P haproxy)"
}

# Test files run side by side and each of them installs: the first one gets a program, the others wait for it. One lock for
# each program: a Collector that is being built holds up nobody who wants Kafka.
install_one() {
  if command -v flock >/dev/null; then
    exec 9>"$home/lock-$1"
    flock 9
  fi
  "$1"
}

install() {
  local program
  mkdir -p "$home"
  [ $# -gt 0 ] || set -- otelcol telemetrygen h2spec versitygw kafka moto haproxy
  for program in "$@"; do
    case $program in
      otelcol | telemetrygen | h2spec | versitygw | kafka | moto | haproxy) (install_one "$program") ;;
      *)
        say "there is no program $program"
        exit 2
        ;;
    esac
  done
}

# The settings that one node and one of three differ in. With three, everything that Kafka stores about itself has three
# copies and takes writes while one node is away.
kafka_node_settings() {
  local port=$1 node=$2 copies=1 writable=1 voters="1@127.0.0.1:$(($1 + 1))"
  if [ -n "$node" ]; then
    copies=3 writable=2
    voters=$voters,2@127.0.0.1:$((port + 3)),3@127.0.0.1:$((port + 5))
    port=$((port + 2 * node - 2))
  fi
  cat <<PROPERTIES
node.id=${node:-1}
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
default.replication.factor=$copies
min.insync.replicas=$writable
offsets.topic.replication.factor=$copies
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$writable
share.coordinator.state.topic.replication.factor=$copies
PROPERTIES
}

# Nodes of a cluster have to agree on its id before they know each other: 16 bytes in base64, here told by the first port.
kafka_cluster_id() {
  if [ -n "$2" ]; then printf "services.sh%05d" "$1"; else head -c 16 /dev/urandom; fi | base64 | tr "+/" "-_" | tr -d "="
}

# Formats DIR when it is new. DIR/extra.properties, if there, is read after the settings below and wins over them;
# each line of DIR/scram-users, if there, is a user that the first start creates, as kafka-storage.sh takes them.
run_kafka() {
  local libs dir=$1 port=$2 node=${3:-} user
  local -a format
  case $node in
    "" | 1 | 2 | 3) ;;
    *)
      say "there is no node $node: it is 1, 2 or 3"
      exit 2
      ;;
  esac
  libs=$(install kafka | sed 's/^kafka=//')/libs
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
$(kafka_node_settings "$port" "$node")
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
num.partitions=4
offsets.topic.num.partitions=4
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A node that was killed and is back would otherwise be refused until its last session is over, nine seconds later.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# It would otherwise hold 128 MiB for a job that never comes up here.
log.cleaner.dedupe.buffer.size=4194304
PROPERTIES
  [ ! -f "$dir/extra.properties" ] || cat "$dir/extra.properties" >>"$dir/server.properties"
  if [ ! -f "$dir/data/meta.properties" ]; then
    format=("--cluster-id=$(kafka_cluster_id "$port" "$node")" -c "$dir/server.properties")
    if [ -f "$dir/scram-users" ]; then
      while read -r user; do format+=(--add-scram "$user"); done <"$dir/scram-users"
    fi
    java -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
      -cp "$libs/*" kafka.tools.StorageTool format "${format[@]}" >&2
  fi
  # The line that says that it has started is the only one below a warning.
  # shellcheck disable=SC2086
  exec java -Xmx512m ${KAFKA_JVM_FLAGS:-} -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info -cp "$libs/*" kafka.Kafka "$dir/server.properties"
}

# Every bucket is a folder in DIR/buckets and every object a file. What else is known of them lies in DIR/metadata, because
# not every file system has extended attributes.
run_s3() {
  local server dir=$1 port=$2
  server=$(install versitygw | sed 's/^versitygw=//')
  mkdir -p "$dir/buckets" "$dir/metadata"
  export ROOT_ACCESS_KEY=${AWS_ACCESS_KEY_ID:-millrace} ROOT_SECRET_KEY=${AWS_SECRET_ACCESS_KEY:-millrace-secret}
  exec "$server" --port "127.0.0.1:$port" --region "${AWS_REGION:-us-east-1}" --quiet posix --sidecar "$dir/metadata" "$dir/buckets"
}

# With INITIAL_NO_AUTH_ACTION_COUNT set, requests are refused from that one on unless IAM allows them and they are signed
# with credentials that IAM or STS has given out.
run_aws() {
  local libs port=$2
  libs=$(install moto | sed 's/^moto=//')
  PYTHONPATH=$libs exec python3 -m moto.server --host 127.0.0.1 --port "$port"
}

case ${1:-}/${2:-} in
  install/*) shift && install "$@" ;;
  run/kafka) run_kafka "$3" "$4" "${5:-}" ;;
  run/s3) run_s3 "$3" "$4" ;;
  run/aws) run_aws "$3" "$4" ;;
  *)
    sed -n 4,9p "$0" >&2
    exit 2
    ;;
esac
