#!/usr/bin/env bash
# Writes the quickstart's training text to FILE: the King James Bible from the Debian package
# bible-kjv (public domain, 4.4 MB), or where that isn't installed a text of the project's own
# making. Says which. Usage: prepare_quickstart_text.sh FILE
set -euo pipefail
file=$1
mkdir -p "$(dirname "$file")"
if command -v bible >/dev/null; then
    echo "Text: the King James Bible, from the package bible-kjv"
    bible -f gen1:1-rev22:21 > "$file.tmp"
else
    # A generated text has less to learn than real prose; it shows that training works.
    echo "Text: bible-kjv is not installed; sentences made up by this script instead"
    awk 'BEGIN {
        srand(1)
        nouns = split("river mountain child king sparrow garden lantern shepherd harbour winter" \
                      " baker stranger forest daughter ship village", noun, " ")
        verbs = split("saw followed remembered feared praised carried found left heard called" \
                      " answered loved", verb, " ")
        adjectives = split("old quiet bright small weary golden distant faithful broken tall", adjective, " ")
        for (i = 0; i < 60000; ++i) {
            line = "And the " adjective[1 + int(rand() * adjectives)] " " noun[1 + int(rand() * nouns)]
            line = line " " verb[1 + int(rand() * verbs)] " the " noun[1 + int(rand() * nouns)]
            if (rand() < 0.5) line = line ", and the " noun[1 + int(rand() * nouns)] " was " \
                adjective[1 + int(rand() * adjectives)]
            print line "."
        }
    }' > "$file.tmp"
fi
mv "$file.tmp" "$file"
