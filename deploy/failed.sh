#!/bin/sh
# Tell of a unit that failed: in the log, at a level that wakes people, and by mail where the
# machine sends any. Started by OnFailure= of the other units.
set -eu
unit=${1:?"the unit that failed"}
said=$(systemctl status --no-pager --lines=30 "$unit" 2>&1 || true)
printf '<1>%s failed: systemctl status %s\n' "$unit" "$unit"
if command -v sendmail >/dev/null; then
    printf 'To: %s\nSubject: %s failed on %s\n\n%s\n' \
        "${OPERATOR_MAIL:-root}" "$unit" "$(uname -n)" "$said" | sendmail -t
fi
