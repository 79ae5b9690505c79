#!/usr/bin/env bash
# One-node Slurm of Debian's packages on this machine, for tests: slurm.sh start | stop. Runs as root.
set -euo pipefail

DIRECTORY=/run/znought-slurm
CONFIG=/etc/slurm/slurm.conf

start() {
    command -v slurmctld slurmd munged ss >/dev/null || {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends slurm-wlm munge iproute2 >/dev/null
    }
    stop
    mkdir -p /etc/slurm "$DIRECTORY" /run/munge
    chown munge: /run/munge
    [ -s /etc/munge/munge.key ] || mungekey --create
    runuser -u munge -- /usr/sbin/munged
    configure
    slurmctld -c
    slurmd -N "$(hostname)"
    for _ in $(seq 60); do
        [ "$(sinfo -h -p main -o %t 2>/dev/null)" = idle ] && { sinfo; return; }
        sleep 0.5
    done
    echo "Slurm did not get ready:" >&2
    tail -n 20 "$DIRECTORY"/*.log >&2
    return 1
}

# Loopback only; limits of memory are announced, not enforced, and no accounting is kept.
configure() {
    cat >"$CONFIG" <<EOF
ClusterName=znought
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
StateSaveLocation=$DIRECTORY/state
SlurmdSpoolDir=$DIRECTORY/spool
SlurmctldPidFile=$DIRECTORY/slurmctld.pid
SlurmdPidFile=$DIRECTORY/slurmd.pid
SlurmctldLogFile=$DIRECTORY/slurmctld.log
SlurmdLogFile=$DIRECTORY/slurmd.log
MpiDefault=none
CommunicationParameters=NoCtldInAddrAny
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes=ALL MaxTime=5 State=UP
EOF
    mkdir -p "$DIRECTORY/state" "$DIRECTORY/spool"
}

stop() {
    for file in "$DIRECTORY/slurmd.pid" "$DIRECTORY/slurmctld.pid" /run/munge/munged.pid; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || continue
        # A daemon that still leaves would take the socket, or the file of its successor, with it.
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    done
}

case "${1:-}" in
start | stop) "$1" ;;
*) echo "usage: $0 start | stop" >&2; exit 2 ;;
esac
