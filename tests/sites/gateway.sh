#!/usr/bin/env bash
# gateway.sh COMMAND…: runs a command beside a Dask Gateway at http://127.0.0.1:21095, whose clusters are processes of
# this machine, in namespaces where nobody else sees it and nothing outlives it. Runs as root, with the Python of
# $PYTHON (python3), whose environment has dask-gateway.
set -euo pipefail

PYTHON=$(command -v "${PYTHON:-python3}")
SERVER=/run/znought-gateway
VERSION=2026.3.0

install() {
    [ -d "$SERVER/dask_gateway_server" ] ||
        "$PYTHON" -m pip install --quiet --no-deps --target "$SERVER" "dask-gateway-server==$VERSION"
}

inside() {
    mount --make-rprivate /
    ip link set lo up
    # Names are looked up for machines alone that have an address beside 127.0.0.1.
    ip addr add 10.213.58.1/32 dev lo
    work=$(mktemp -d)
    cat >"$work/config.py" <<CONFIG
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
c.Proxy.address = "127.0.0.1:21095"
c.UnsafeLocalBackend.clusters_directory = "$work/clusters"
c.ClusterConfig.worker_memory = "3 G"
c.ClusterConfig.scheduler_cmd = ["$PYTHON", "-m", "dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["$PYTHON", "-m", "dask", "worker"]
CONFIG
    PYTHONPATH="$SERVER:${PYTHONPATH:-}" "$PYTHON" -m dask_gateway_server --config "$work/config.py" >"$work/log" 2>&1 &
    for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/21095") 2>/dev/null && break; sleep 0.2; done
    "$@" || { code=$?; tail -n 20 "$work/log" >&2; exit "$code"; }
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
else
    install
    exec unshare --mount --net --pid --fork --kill-child --mount-proc "$0" --inside "$@"
fi
