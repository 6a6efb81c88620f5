# Sourced by scripts/gpu_check.sh: runs checks, keeps what they found in $out, writes the report.
# shellcheck shell=bash disable=SC2154  # $out is the script's

checks=() # names, in order

# check NAME FUNCTION [ARGUMENT...]: the function passes by its status, fails, or skips by `skip`.
# Its output is $out/NAME.log. Goes on whatever happens.
check() {
    local name=$1 status began ended result
    shift
    checks+=("$name")
    current=$name
    rm -f "$out/$name".*
    : > "$out/$name.numbers"
    began=$(date +%s%N)
    set +e
    (set -e; "$@") > "$out/$name.log" 2>&1
    status=$?
    set -e
    ended=$(date +%s%N)
    case $status in
        0) result=passed ;;
        77) result=skipped ;;
        *) result=failed ;;
    esac
    echo "$result" > "$out/$name.result"
    awk -v ns=$((ended - began)) 'BEGIN {printf "%.1f\n", ns / 1e9}' > "$out/$name.seconds"
    printf '%-8s %-28s %6s s' "$result" "$name" "$(cat "$out/$name.seconds")"
    [ "$result" = passed ] || printf '  %s' "$(last_line "$name")"
    printf '\n'
}
# For use in checks: skip REASON ends one; number NAME VALUE UNIT, or data FILE (a JSON value), goes
# into the report.
skip() { echo "$*"; exit 77; }
number() { echo "$3 $2 $1" >> "$out/$current.numbers"; }
data() { cp "$1" "$out/$current.data"; }

result_of() { cat "$out/$1.result" 2> /dev/null || echo missing; }
needs() { [ "$(result_of "$1")" = passed ] || skip "needs check '$1', which has not passed"; }
last_line() { grep -v '^ *$' "$out/$1.log" | tail -n 1 | cut -c1-200; }

json_string() { printf '"%s"' "$(tr -d '\000-\037' <<< "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

write_check() { # NAME
    local comma='' unit value label
    printf '    {"check": %s, "result": %s, "seconds": %s' "$(json_string "$1")" \
        "$(json_string "$(result_of "$1")")" "$(cat "$out/$1.seconds")"
    [ "$(result_of "$1")" = passed ] || printf ', "why": %s' "$(json_string "$(last_line "$1")")"
    printf ', "numbers": ['
    while read -r unit value label; do
        printf '%s{"name": %s, "value": %s, "unit": %s}' "$comma" "$(json_string "$label")" \
            "$value" "$(json_string "$unit")"
        comma=', '
    done < "$out/$1.numbers"
    printf ']'
    [ ! -s "$out/$1.data" ] || { printf ', "data": '; cat "$out/$1.data"; }
    printf '}'
}
count() { local name n=0; for name in "${checks[@]}"; do [ "$(result_of "$name")" != "$1" ] || n=$((n + 1)); done; echo $n; }

# gpu_check.json and gpu_check.txt in $out. write_report KEY JSON...: more about the run.
write_report() {
    local comma='' name
    {
        printf '{\n'
        while [ $# -ge 2 ]; do printf '  "%s": %s,\n' "$1" "$2"; shift 2; done
        printf '  "passed": %d, "failed": %d, "skipped": %d,\n' "$(count passed)" "$(count failed)" \
            "$(count skipped)"
        printf '  "checks": [\n'
        for name in "${checks[@]}"; do printf '%s' "$comma"; write_check "$name"; comma=$',\n'; done
        printf '\n  ]\n}\n'
    } > "$out/gpu_check.json"
    {
        for name in "${checks[@]}"; do
            printf '%-8s %-28s %6s s\n' "$(result_of "$name")" "$name" "$(cat "$out/$name.seconds")"
            [ "$(result_of "$name")" = passed ] || printf '           %s\n' "$(last_line "$name")"
            awk '{unit = $1; value = $2; $1 = $2 = ""; printf "           %-50s %14s %s\n", $0, value, unit}' \
                "$out/$name.numbers"
            [ ! -s "$out/$name.table" ] || sed 's/^/           /' "$out/$name.table"
        done
        printf '%d passed, %d failed, %d skipped\n' "$(count passed)" "$(count failed)" \
            "$(count skipped)"
    } > "$out/gpu_check.txt"
}
