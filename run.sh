#!/usr/bin/env bash
# Installs what is missing into .venv and starts everything: ./run.sh
# Any other command of hamyon works the same way: ./run.sh demo photo.jpg --prompt "..."
set -euo pipefail
cd "$(dirname "$0")"

python=.venv/bin/python
# A stamp of the folder and the lock file says what is installed, so that later starts do not ask pip.
stamp=.venv/.installed
# Without a stamp an interrupted start may have left a half: python is there, pip is not.
if [ ! -e "$stamp" ] && ! "$python" -m pip --version >/dev/null 2>&1; then
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            found=$candidate
            break
        fi
    done
    if [ -z "${found:-}" ]; then
        echo "Hamyon needs Python 3.11 or newer with venv; set PYTHON to one." >&2
        exit 1
    fi
    "$found" -m venv --clear .venv
fi

wanted=$( (pwd; cat requirements.lock pyproject.toml) | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the packages of requirements.lock; this takes a minute, once ..."
    "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
        --require-hashes -r requirements.lock
    "$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
    echo "$wanted" >"$stamp"
fi

[ $# -gt 0 ] || set -- up
exec .venv/bin/hamyon "$@"
