#!/usr/bin/env bash
# Runs a command that is, or becomes, mpirun, and returns its exit code. Open MPI 4.1 waits for ever
# for a machine that no longer answers, also when its processes here have ended: then mpirun is
# killed, and the exit code is 69, a lost peer.
# Usage: wait_for_mpirun.sh COMMAND [ARGUMENT]...
# SIGUSR1 and SIGTERM are both passed on as SIGUSR1, once: the run saves and stops at the first, and
# ends at once at a second.
set -uo pipefail
if [ $# = 0 ]; then sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; fi
grace=${WAIT_FOR_MPIRUN_GRACE:-15} # seconds after the last process here ended

job='' caught='' passed_on=''
pass_on() {
    if [ -n "$caught" ] && [ -n "$job" ] && [ -z "$passed_on" ]; then
        passed_on=1
        echo "${0##*/}: $caught: asking the run to save and stop" >&2
        kill -USR1 "$job" 2> /dev/null
    fi
}
trap 'caught=SIGUSR1; pass_on' USR1
trap 'caught=SIGTERM; pass_on' TERM

"$@" &
job=$!
pass_on # what came before there was a job

ranks_here() { # whether the job has processes on this machine
    local child
    # shellcheck disable=SC2013 # words of one line
    for child in $(cat "/proc/$job/task/$job/children" 2> /dev/null); do
        tr '\0' '\n' 2> /dev/null < "/proc/$child/environ" | grep -q '^OMPI_COMM_WORLD_RANK=' && return 0
    done
    return 1
}
had_ranks='' gone_since=''
while kill -0 "$job" 2> /dev/null; do
    sleep 0.3 &
    wait $! # a signal ends it
    if ranks_here; then
        had_ranks=1 gone_since=''
    elif [ -n "$had_ranks" ]; then
        : "${gone_since:=$SECONDS}"
        if [ $((SECONDS - gone_since)) -ge "$grace" ]; then
            echo "${0##*/}: all processes here have ended, but mpirun waits for a machine that does" \
                "not answer: killing it" >&2
            # shellcheck disable=SC2013
            for child in $(cat "/proc/$job/task/$job/children"); do kill -9 "$child"; done
            kill -9 "$job"
            wait "$job" 2> /dev/null
            exit 69
        fi
    fi
done
wait "$job"
