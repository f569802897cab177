#!/bin/sh
# Keeps as many agents queued as submissions wait or run, at most so many: from cron, each minute.
#   LEADERBOARD_METRICS_TOKEN=… deploy/slurm/feeder.sh https://grader.example.edu 8
set -eu
server=${1:?"the server's address"}
most=${2:-4}
here=$(dirname "$0")
waiting=$(curl --fail --silent --max-time 20 -H "Authorization: Bearer ${LEADERBOARD_METRICS_TOKEN:?"as on the server"}" "$server/metrics" |
    awk '/^leaderboard_queue_(waiting|running)\{[^}]*lane="(code|gpu)"/ {sum += $NF} END {print int(sum)}')
there=$(squeue --noheader --user "$(id -un)" --name grading-agent --states PENDING,RUNNING | wc -l)
wanted=$((waiting < most ? waiting : most))
while [ "$there" -lt "$wanted" ]; do
    sbatch "$here/agent.sbatch" "$server"
    there=$((there + 1))
done
