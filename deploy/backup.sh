#!/bin/sh
# Nightly: a backup of its own folder, then retention; the newest COUNT backups are kept.
#   LEADERBOARD_STATE_DIR=/srv/leaderboard deploy/backup.sh /backups/leaderboard 14
set -eu
folder=${1:?"the folder for backups"}
count=${2:-14}
umask 077
mkdir -p "$folder"
# what a machine left that lost its power meanwhile; whatever else fails leaves nothing
for left in "$folder"/????-??-??T??????Z; do
    if [ -d "$left" ] && [ ! -e "$left/manifest.json" ]; then
        find "$left" -maxdepth 0 -mmin +1440 -exec rm -rf {} +
    fi
done
new="$folder/$(date -u +%Y-%m-%dT%H%M%SZ)"
leaderboard backup "$new"
# only now, and only whole ones are counted: a backup that failed pushes no good one out
ls -1d "$folder"/*/manifest.json | sort -r | tail -n "+$((count + 1))" | while read -r manifest; do
    rm -rf "${manifest%/manifest.json}"
done
leaderboard retention
