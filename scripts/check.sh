#!/usr/bin/env bash
# Before every commit that ends a piece of work: format, include levels, lint of changed files, fast
# tests of the dev build. Under three minutes with a warm build.
# Usage: check.sh [BASE]   lints what changed since BASE (default: HEAD)
set -euo pipefail
cd "$(dirname "$0")/.."
base=${1:-HEAD}

scripts/install_dependencies.sh --developer
git ls-files -co --exclude-standard '*.cpp' '*.hpp' | xargs -r clang-format --dry-run -Werror
if git ls-files -co --exclude-standard src kernels tests | grep -E '\.(cpp|hpp)$' |
    xargs -r grep -nP '[^\x00-\x7F]'; then
    echo "check.sh: code is ASCII" >&2
    exit 1
fi
scripts/check_levels.sh
cmake --preset dev > /dev/null
cmake --build --preset dev
ctest --preset dev -L fast

# clang-tidy reads the compile commands without what only GCC understands.
tidy=build/dev/tidy
mkdir -p "$tidy"
sed -E 's/-include [^ ]*cmake_pch\.hxx//; s/-Winvalid-pch|-fpch-preprocess|-W(no-)?(error=)?(restrict|stringop-overflow|array-bounds|maybe-uninitialized)//g' \
    build/dev/compile_commands.json > "$tidy/compile_commands.json"
changed=$(git diff --name-only --diff-filter=d "$base" -- '*.cpp'; git ls-files -o --exclude-standard -- '*.cpp')
for file in $changed; do
    echo "clang-tidy $file"
    clang-tidy -p "$tidy" --quiet "$file" 2> /dev/null
done
echo "check.sh: all well"
