#!/usr/bin/env bash
# Brings a fresh machine to where `make demo` and `make test` run. Quick when nothing changed.
# Installs what deploy/locks names; LATEST=1 takes the newest releases within pyproject.toml's bounds.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

# Debian packages, and what each is for. Optional ones may be missing: the product then says what it does without.
PACKAGES="bubblewrap libseccomp2 python3-venv"
TEST_PACKAGES="debootstrap chromium fonts-noto-cjk postgresql"
DATA_PACKAGES="dataset-fashion-mnist"
# The tests start a Docker engine of their own; one that is installed already will do.
command -v dockerd >/dev/null || [ -x /usr/sbin/dockerd ] || TEST_PACKAGES="$TEST_PACKAGES docker.io"

missing_packages() {
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1; fi
}

apt_install() {
    # RUNLEVEL: without systemd, no service of theirs is started
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq "$@" >/dev/null 2>&1
}

install_packages() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || {
        command -v bwrap >/dev/null ||
            say "Not a Debian system: install bubblewrap, libseccomp and Chromium with your package manager to sandbox students' code and run every test."
        return 0
    }
    # shellcheck disable=SC2046
    set -- $(missing_packages $PACKAGES $TEST_PACKAGES $DATA_PACKAGES)
    [ $# -gt 0 ] || return 0
    if ! as_root true; then
        say "These Debian packages are missing and this account may not install them. Please run:"
        say "    sudo apt-get install $*"
        return 0
    fi
    # asked every time for a package this release does not have would make each run slow
    [ -f .venv/apt-asked ] && [ "$(cat .venv/apt-asked)" = "$*" ] && return 0
    say "Installing Debian packages: $*"
    if ! apt_install "$@"; then
        as_root apt-get update -qq >/dev/null 2>&1 || true
        for package in "$@"; do
            apt_install "$package" || say "  $package could not be installed; going on without it"
        done
    fi
    APT_ASKED="$(missing_packages $PACKAGES $TEST_PACKAGES $DATA_PACKAGES)"
}

find_python() {
    for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$name" ] && command -v "$name" >/dev/null || continue
        "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && { echo "$name"; return; }
    done
    say "Python 3.11 to 3.14 with the venv module is needed (Debian: sudo apt-get install python3 python3-venv)."
    exit 2
}

pip_install() {
    # a quiet log; what pip says of a failure is shown
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off "$@" |
        { grep --line-buffered -E '^(Collecting|Installing|Successfully)' || true; } | cut -c1-120 >&2
}

install_locked() {
    pip_install --no-deps --require-hashes -r deploy/locks/build.txt -r deploy/locks/dev.txt
    # of the builds of torch the one that this machine is given: for CPUs or for a CUDA release
    pip_install -c deploy/locks/torch.txt torch torchvision
    pip_install --no-deps --no-build-isolation -e .
}

install_latest() {
    pip_install --upgrade --upgrade-strategy eager -e '.[dev]'
}

install_venv() {
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        say "Creating .venv with $("$python" --version)"
        "$python" -m venv .venv
    fi
    # looked for again every day
    latest=${LATEST:+latest of $(date +%F)}
    stamp="$(cat pyproject.toml setup.py deploy/locks/*.txt | sha256sum | cut -d' ' -f1) $(.venv/bin/python --version) $PWD $latest"
    if [ "$(cat .venv/installed 2>/dev/null)" != "$stamp" ]; then
        say "Installing ${LATEST:+the newest }Python packages into .venv (torch is the large one; some minutes the first time)"
        if [ -n "${LATEST:-}" ]; then install_latest; else install_locked; fi
        echo "$stamp" > .venv/installed
        INSTALLED=yes
    fi
}

build_runner() {
    if [ -z "${LATEST:-}" ]; then
        .venv/bin/python -m sandbox.runner_env.build_runner .runner
    else
        .venv/bin/python -m sandbox.runner_env.build_runner .runner --requirements deploy/runner.txt ${INSTALLED:+--force}
    fi
}

APT_ASKED=""
INSTALLED=""
install_packages
install_venv
[ -z "$APT_ASKED" ] || echo -n "$APT_ASKED" | sed 's/ $//' > .venv/apt-asked
build_runner
