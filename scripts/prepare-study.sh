#!/usr/bin/env bash
# Data of configs/study/: English prose out of the documentation in Debian packages, a tokenizer of
# 8192 ids trained on it, and token files; docs/data.md lists packages and licences. Packages are
# downloaded and unpacked under DIR, not installed. Usage: prepare-study.sh [DIR]  (default data/study)
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-data/study}

# NAME or PATTERN (the newest that apt knows), and which of its files, as a pattern of their paths.
sources=(
    "anarchism|/html/.*\.html$"
    "debian-handbook|/html/en-US/.*\.html$"
    "debian-reference-en|\.en\.html$"
    "developers-reference|/developers-reference/[^_].*\.html$"
    "debian-policy|/policy\.html/.*\.html$"
    "dict-gcide|gcide\.dict\.dz$"
    "wordnet-base|/data\.(noun|verb|adj|adv)$"
    "jargon-text|jargon.*\.gz$"
    "linux-doc-[0-9.]+|/html/.*\.html$"
    "postgresql-doc-[0-9]+|/html/.*\.html$"
    "python3\.[0-9]+-doc|/html/.*\.html$"
    "libreoffice-help-en-us|/en-US/text/.*\.html$"
    "git-doc|/git-doc/.*\.html$"
    "vim-runtime|/doc/.*\.txt$"
    "gnome-user-docs|/help/C/.*\.page$"
    "apache2-doc|/manual/en/.*\.html$"
    "gimp-help-en|/help/en/.*\.html$"
    "octave-doc|\.html/.*\.html$"
    "maxima-doc|/html/maxima_[0-9]+\.html$"
    "cmake-doc|/html/.*\.html$"
    "python-django-doc|/html/.*\.html$"
    "libboost1\.[0-9]+-doc|/doc/html/.*\.html$"
)

scripts/install_dependencies.sh
cmake --preset release -DPOLYTRAIN_TESTS=OFF > build-release.log 2>&1 || { cat build-release.log; exit 1; }
rm -f build-release.log
cmake --build --preset release --target polytrain
polytrain=build/release/polytrain

if ! apt-cache show wordnet-base > /dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
fi
mkdir -p "$dir/packages" "$dir/text"
for source in "${sources[@]}"; do
    pattern=${source%%|*} files=${source#*|}
    package=$(apt-cache pkgnames | { grep -xE "$pattern" || true; } | sort -V | tail -n 1)
    if [ -z "$package" ]; then
        echo "There is no package $pattern here: going on without" >&2
        continue
    fi
    text=$dir/text/$package.jsonl
    [ ! -f "$text" ] || continue
    (cd "$dir/packages" && apt-get download -qo "APT::Sandbox::User=$(id -un)" "$package" > /dev/null)
    unpacked=$dir/packages/$package
    rm -rf "$unpacked"
    dpkg-deb -x "$dir/packages/${package}"_*.deb "$unpacked"
    find "$unpacked" -type f | LC_ALL=C sort | { grep -E "$files" || true; } \
        | perl scripts/study_text.pl > "$text.tmp"
    mv "$text.tmp" "$text"
    rm -rf "$unpacked" "$dir/packages/${package}"_*.deb
    echo "$package: $(wc -l < "$text") documents, $(wc -c < "$text") bytes"
done

# A hundredth of the documents of every package is held out, for which prepare takes the last ones.
rm -rf "$dir/corpus"
mkdir "$dir/corpus"
cat "$dir"/text/*.jsonl | awk -v train="$dir/corpus/1.jsonl" -v held="$dir/corpus/2.jsonl" \
    '{ print > (NR % 100 == 0 ? held : train) }'
share=$(awk 'NR == FNR { n++; next } { h++ } END { printf "%.9f", h / (n + h) }' \
    "$dir/corpus/1.jsonl" "$dir/corpus/2.jsonl")
"$polytrain" tokenizer train --vocab-size 8192 --out "$dir/tokenizer-8192.json" "$dir/corpus"
"$polytrain" prepare --tokenizer "$dir/tokenizer-8192.json" --validation "$share" --out "$dir" "$dir/corpus"
rm -rf "$dir/corpus" "$dir/packages"
