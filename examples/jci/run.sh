#!/bin/sh
# An example of .jci/run.sh: every shell script of the repository must be well-formed. It runs with bash in the output directory,
# and what it leaves there is stored.
set -eu
find "$JCI_REPO_ROOT" -name .git -prune -o -type f -exec awk 'FNR == 1 && /^#!\/bin\/sh/ { print FILENAME }' {} + |
    sort >scripts.txt
while read -r script; do
    sh -n "$script"
    printf '\033[32mok\033[0m %s\n' "${script#"$JCI_REPO_ROOT"/}"
done <scripts.txt
echo "$(wc -l <scripts.txt) scripts are well-formed"
