#!/usr/bin/env bash
# Tests the tests: puts each known bug of tests/mutants/*.patch into a copy of the tree and runs the
# test that the patch names, which must fail. A patch that no longer applies or builds is an error.
# Usage: mutants.sh [--table | --check] [NAME]...   (default: all)
#   --table   prints the table of docs/distributed.md instead
#   --check   only looks whether the patches apply
set -euo pipefail
cd "$(dirname "$0")/.."
field() { sed -n "s/^# $1: //p" "$2"; } # FIELD PATCH

if [ "${1:-}" = --table ]; then
    printf '| bug | seen in | test that fails |\n|---|---|---|\n'
    for patch in tests/mutants/*.patch; do
        printf '| %s | %s | `%s` |\n' "$(field bug "$patch")" "$(field 'seen in' "$patch")" \
            "$(field test "$patch" | tr -d '\\')"
    done
    exit 0
fi
if [ "${1:-}" = --check ]; then
    for patch in tests/mutants/*.patch; do
        patch --dry-run -p1 --batch --forward --fuzz=0 < "$patch" ||
            { echo "mutants.sh: $patch no longer applies" >&2; exit 1; }
    done
    exit 0
fi
patches=()
for name in "$@"; do patches+=("tests/mutants/$name.patch"); done
[ ${#patches[@]} -gt 0 ] || patches=(tests/mutants/*.patch)

scripts/install_dependencies.sh
tree=build/mutants/tree
rm -rf "$tree"
mkdir -p "$tree"
# Times are kept, so that a second run builds what changed alone.
git ls-files -z | xargs -0 cp -p --parents -t "$tree"
(cd "$tree" && cmake -G Ninja -B ../build -DCMAKE_BUILD_TYPE=Release > ../configure.log) ||
    { cat build/mutants/configure.log; exit 1; }

# build TEST: the test's program and what it runs.
build() { cmake --build build/mutants/build --target "$1" > build/mutants/build.log 2>&1; }
survived=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    read -r program filter <<< "$(field test "$patch")"
    patch -d "$tree" -p1 --batch --forward --fuzz=0 < "$patch" > build/mutants/patch.log ||
        { cat build/mutants/patch.log; echo "mutants.sh: $patch no longer applies" >&2; exit 1; }
    build "$program" || { tail -n 30 build/mutants/build.log; echo "mutants.sh: $name does not build" >&2; exit 1; }
    if timeout 300 "build/mutants/build/tests/$program" "$filter" > build/mutants/test.log 2>&1; then
        grep -q 'All tests passed' build/mutants/test.log ||
            { echo "mutants.sh: $name: no test is called '$filter'" >&2; exit 1; }
        echo "SURVIVED  $name: $program '$filter' passes"
        survived=$((survived + 1))
    elif ! grep -qE 'test cases: .*failed' build/mutants/test.log; then
        tail -n 20 build/mutants/test.log
        echo "mutants.sh: $name: $program '$filter' ended without a verdict" >&2
        exit 1
    else
        echo "killed    $name"
    fi
    patch -d "$tree" -p1 --batch --reverse < "$patch" > /dev/null
done
echo "$((${#patches[@]} - survived)) passed, $survived failed"
[ "$survived" = 0 ]
