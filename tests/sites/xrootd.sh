#!/usr/bin/env bash
# XRootD server of Debian's packages on this machine, for tests: xrootd.sh start | stop. Runs as root.
# It answers this machine alone: /data may be written to, /readonly may not.
set -euo pipefail

DIRECTORY=/run/znought-xrootd
PORT=21094

start() {
    command -v xrootd >/dev/null || {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends xrootd-server >/dev/null
    }
    stop
    rm -rf "$DIRECTORY"
    mkdir -p "$DIRECTORY/files/data" "$DIRECTORY/files/readonly" "$DIRECTORY/admin"
    configure
    chown -R xrootd: "$DIRECTORY"
    runuser -u xrootd -- xrootd -b -I v4 -c "$DIRECTORY/config" -l "$DIRECTORY/admin/log" -s "$DIRECTORY/admin/pid"
    for _ in $(seq 50); do
        (: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && return
        sleep 0.2
    done
    echo "XRootD did not get ready:" >&2
    find "$DIRECTORY/admin" -name log -exec tail -n 20 {} + >&2
    return 1
}

configure() {
    cat >"$DIRECTORY/config" <<EOF
xrd.port $PORT
xrd.allow host localhost
all.export /data
all.export /readonly r/o
oss.localroot $DIRECTORY/files
all.adminpath $DIRECTORY/admin
all.pidpath $DIRECTORY/admin
EOF
}

stop() {
    [ -s "$DIRECTORY/admin/pid" ] || return 0
    pid=$(cat "$DIRECTORY/admin/pid")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
}

case "${1:-}" in
start | stop) "$1" ;;
*) echo "usage: $0 start | stop" >&2; exit 2 ;;
esac
