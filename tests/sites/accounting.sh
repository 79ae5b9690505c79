#!/usr/bin/env bash
# accounting.sh COMMAND…: runs a command beside a one-node Slurm that keeps accounts (Debian's slurmdbd and
# MariaDB), in namespaces where nobody else sees it and nothing outlives it. Runs as root, who may use the account
# `physics` alone.
set -euo pipefail

DIRECTORY=/run/znought-accounting

# As of slurm.sh, which installs Slurm itself; databases are not started by their packages.
install() {
    command -v slurmdbd mariadbd >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq --no-install-recommends \
        slurm-wlm slurmdbd munge iproute2 mariadb-server >/dev/null
}

database() {
    mkdir -p /run/mysqld "$DIRECTORY"
    chown mysql: /run/mysqld
    mariadb-install-db --no-defaults --user=mysql --datadir="$DIRECTORY/db" --skip-test-db >/dev/null 2>&1
    mariadbd --no-defaults --user=mysql --datadir="$DIRECTORY/db" --socket=/run/mysqld/mysqld.sock \
        --skip-networking >"$DIRECTORY/db.log" 2>&1 &
    for _ in $(seq 100); do [ -S /run/mysqld/mysqld.sock ] && return; sleep 0.1; done
    return 1
}

configure() {
    mkdir -p "$DIRECTORY/state" "$DIRECTORY/spool" /run/munge
    (umask 077 && cat >/etc/slurm/slurmdbd.conf) <<CONFIG
AuthType=auth/munge
DbdHost=localhost
SlurmUser=root
StorageType=accounting_storage/mysql
StorageUser=root
StorageLoc=slurm
LogFile=$DIRECTORY/slurmdbd.log
PidFile=$DIRECTORY/slurmdbd.pid
CONFIG
    cat >/etc/slurm/slurm.conf <<CONFIG
ClusterName=znought
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
StateSaveLocation=$DIRECTORY/state
SlurmdSpoolDir=$DIRECTORY/spool
SlurmctldPidFile=$DIRECTORY/slurmctld.pid
SlurmdPidFile=$DIRECTORY/slurmd.pid
SlurmctldLogFile=$DIRECTORY/slurmctld.log
SlurmdLogFile=$DIRECTORY/slurmd.log
MpiDefault=none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStorageEnforce=associations
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONFIG
}

# Asks until a daemon answers.
answer() {
    for _ in $(seq 60); do "$@" >/dev/null 2>&1 && return; sleep 0.5; done
    echo "$1 does not answer:" >&2
    tail -n 20 "$DIRECTORY"/*.log >&2
    return 1
}

inside() {
    mount --make-rprivate /
    ip link set lo up
    # Names are looked up for machines alone that have an address beside 127.0.0.1.
    ip addr add 10.213.58.1/32 dev lo
    mkdir -p /etc/slurm
    mount -t tmpfs none /run
    mount -t tmpfs none /etc/slurm
    database
    configure
    chown munge: /run/munge
    [ -s /etc/munge/munge.key ] || mungekey --create
    runuser -u munge -- /usr/sbin/munged
    slurmdbd
    answer sacctmgr -i add cluster znought
    sacctmgr -i add account physics cluster=znought >/dev/null
    sacctmgr -i add user root account=physics >/dev/null
    slurmctld -c
    slurmd -N "$(hostname)"
    answer sh -c '[ "$(sinfo -h -p main -o %t)" = idle ]'
    "$@"
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
else
    install
    exec unshare --mount --net --pid --fork --kill-child --mount-proc "$0" --inside "$@"
fi
