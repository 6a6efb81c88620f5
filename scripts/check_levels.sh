#!/usr/bin/env bash
# Who may include whom: a file includes its own module or lower levels only (docs/architecture.md).
# kernels/ sits between level 2 and 3, and only src/app and tests include it.
# Usage: check_levels.sh [ROOT]   exits 1 and names each upward include.
set -euo pipefail
root=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$root"

find src kernels -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) |
    LC_ALL=C sort | xargs awk '
BEGIN {
    split("core 10 tensor 20 ops 30 comm 33 kernels 35 nn 40 data 40 model 50 optim 50 " \
          "checkpoint 60 eval 60 generate 60 analysis 60 config 60 train 70 report 70 app 80", t, " ")
    for (i = 1; i in t; i += 2) level[t[i]] = t[i + 1]
}
FNR == 1 {
    split(FILENAME, path, "/")
    own = path[1] == "kernels" ? "kernels" : path[2]
    if (!(own in level)) { printf "%s: module %s has no level in scripts/check_levels.sh\n", FILENAME, own; bad = 1 }
}
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    split($0, quoted, /["<>]/)
    split(quoted[2], part, "/")
    other = part[1]
    if (quoted[2] ~ /\.\./) {
        printf "%s:%d: %s: includes are named from the root, without ..\n", FILENAME, FNR, quoted[2]
        bad = 1
    }
    if (!(other in level) || other == own) next
    if (level[other] >= level[own] || (other == "kernels" && own != "app")) {
        printf "%s:%d: %s (level %g) may not include %s (level %g)\n", FILENAME, FNR, own,
               level[own] / 10 - 1, quoted[2], level[other] / 10 - 1
        bad = 1
    }
}
END { exit bad }'
