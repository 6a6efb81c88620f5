#!/usr/bin/env bash
# Trains with processes on several machines, which ssh reaches without a password and on which the
# program and the run's folder have the same paths.
# Usage: mpirun_hosts.sh HOSTFILE CONFIG RUN [POLYTRAIN_OPTION]...
#   HOSTFILE  lines "HOST slots=PROCESSES"; CONFIG the run's config file; RUN its folder, which is
#             gone on with if it is there. POLYTRAIN names the program (default: polytrain).
#   MCA       more options of mpirun. Over Ethernet, with several networks, name the one to use:
#             MCA="--mca pml ob1 --mca btl self,vader,tcp --mca btl_tcp_if_include 10.0.0.0/24"
# Send SIGUSR1 to this script to save and stop (exit code 75).
set -euo pipefail
case ${1:-} in -h | --help | '') sed -n '2,9s/^# \{0,1\}//p' "$0"; [ "${1:-}" ] && exit 0 || exit 2 ;; esac
if [ $# -lt 3 ]; then sed -n '4s/^# //p' "$0" >&2; exit 2; fi
hosts=$1 config=$2 run=$3
shift 3

# MCA is several words.
read -ra mca <<< "${MCA:-}"
options=(--hostfile "$hosts" --map-by slot --bind-to none)
if [ "$(id -u)" = 0 ]; then options+=(--allow-run-as-root); fi
exec "$(dirname "$0")/wait_for_mpirun.sh" mpirun "${options[@]}" "${mca[@]}" \
    "${POLYTRAIN:-polytrain}" train "$config" --out "$run" --resume auto "$@"
