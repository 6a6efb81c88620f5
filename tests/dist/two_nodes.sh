#!/usr/bin/env bash
# Runs a program as two ranks on two imitated machines: network namespaces with host names of their
# own, joined by one link, over TCP.
# Usage: two_nodes.sh PROGRAM [ARGUMENT]...
#   MCA   more options of mpirun
# Exits with mpirun's code; 77: not possible here (no root, no ip, no MPI). While it runs, the
# second machine's link can be cut:  ip -n polytrain-PID-b link set eth0 down
# where PID is this script's process ID.
set -uo pipefail
if [ $# = 0 ]; then sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; fi

for tool in ip mpirun nsenter unshare; do
    command -v "$tool" > /dev/null || { echo "SKIPPED: two_nodes.sh needs $tool"; exit 77; }
done
a=polytrain-$$-a b=polytrain-$$-b
if ! ip netns add "$a" 2> /dev/null; then echo "SKIPPED: may not make network namespaces"; exit 77; fi
folder=$(mktemp -d)
# shellcheck disable=SC2317 # called by trap
clean_up() {
    for name in "$a" "$b"; do
        # What a node still runs, its daemon too.
        for process in $(ip netns pids "$name" 2> /dev/null); do kill -9 "$process"; done
        ip netns delete "$name" 2> /dev/null
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ip netns add "$b"
if ! ip link add eth0 netns "$a" type veth peer name eth0 netns "$b" 2> /dev/null; then
    echo "SKIPPED: may not make a link"
    exit 77
fi
number=0
for name in "$a" "$b"; do
    number=$((number + 1))
    ip -n "$name" address add "10.77.0.$number/24" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
done

# enter NODE COMMAND...: in that node, under its host name.
cat > "$folder/enter" << 'END'
#!/usr/bin/env bash
node=$1
shift
exec ip netns exec "$node" unshare --uts bash -c 'hostname "${0##*-}.node"; exec "$@"' "$node" "$@"
END
# What mpirun takes for ssh: HOST WORD..., of which the words are one line of the shell.
cat > "$folder/agent" << END
#!/usr/bin/env bash
while [[ \$1 == -* ]]; do shift; done
case \$1 in 10.77.0.1) node=$a ;; *) node=$b ;; esac
shift
exec "$folder/enter" "\$node" bash -c "\$*"
END
chmod +x "$folder/enter" "$folder/agent"

read -ra mca <<< "${MCA:-}"
options=(--host "10.77.0.1:1,10.77.0.2:1" -np 2 --bind-to none --mca plm_rsh_agent "$folder/agent"
    --mca pml ob1 --mca btl "self,tcp" --mca btl_tcp_if_include 10.77.0.0/24
    --mca oob_tcp_if_include 10.77.0.0/24 --mca mpi_yield_when_idle 1)
if [ "$(id -u)" = 0 ]; then options+=(--allow-run-as-root); fi
# Open MPI keeps some memory until its end, which a sanitized program would be blamed for.
options+=(-x ASAN_OPTIONS=detect_leaks=0)
WAIT_FOR_MPIRUN_GRACE=3 "$(dirname "$0")/../../scripts/launch/wait_for_mpirun.sh" \
    "$folder/enter" "$a" mpirun "${options[@]}" "${mca[@]}" "$@" &
job=$!
trap 'kill -USR1 $job' USR1
while true; do
    wait "$job"
    code=$?
    kill -0 "$job" 2> /dev/null || break
done
exit "$code"
