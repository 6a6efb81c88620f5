#!/usr/bin/env bash
# Trains with several processes on this machine.
# Usage: mpirun.sh RANKS CONFIG RUN [POLYTRAIN_OPTION]...
#   RANKS   processes; CONFIG the run's config file; RUN its folder, which is gone on with if it is
#           there. POLYTRAIN names the program (default: polytrain).
# Send SIGUSR1 to mpirun to save and stop (exit code 75); after SIGTERM it kills the processes within
# a second, too soon to save.
set -euo pipefail
case ${1:-} in -h | --help | '') sed -n '2,7s/^# \{0,1\}//p' "$0"; [ "${1:-}" ] && exit 0 || exit 2 ;; esac
if [ $# -lt 3 ]; then sed -n '3s/^# //p' "$0" >&2; exit 2; fi
ranks=$1 config=$2 run=$3
shift 3

# Threads of a process use the cores that are left to it, not one: no binding to a core.
# (Open MPI counts cores, nproc their threads: oversubscribing is allowed in any case.)
options=(-np "$ranks" --bind-to none --oversubscribe)
if [ "$(id -u)" = 0 ]; then options+=(--allow-run-as-root); fi
if [ "$ranks" -gt "$(nproc)" ]; then options+=(--mca mpi_yield_when_idle 1); fi
exec mpirun "${options[@]}" "${POLYTRAIN:-polytrain}" train "$config" --out "$run" --resume auto "$@"
